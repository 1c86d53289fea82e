"""How long measuring takes beside a bare pass of the backbone.

    TLCORE_ASSETS=… python benchmarks/guidance/speed.py [--n 1000] [--turns 5] [--size 224] [--source REF …]

Two ratios, each the median over turns in which both sides alternate, which side goes first alternating too:

* advise: everything that `guidance.measure_with` measures, against one bare pass of the same network over the same
  examples: build it, decode, forward, nothing else. Target: at most 1.5.
* ranking: `guidance.rank` of all sources, against the sum of their bare passes. Target: at most 1.2.

Both sides have the same pictures (JPEG, drawn by code, ten classes), picture size, dtype, layout, batch and threads,
and start each turn without decoded pictures, features or evidence on disk. ``--n`` counts the examples that are looked
at: training and validation data. Libraries are imported, and every network has run once, before the clock starts.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from tlcore import data, guidance, models, tasks
from tlcore.core import machine
from tlcore.core.spec_parts import Data, Options, Split
from tlcore.guidance.feature_pass import BATCH
from tlcore.store import Store
from tlcore.training import features

TASK = tasks.find("image-classification")
NAMES = ("mobilenetv2_100_in1k", "mobilenetv2_100_inat_bird", "mobilenetv2_100_inat_insect", "mobilenetv1_100_in1k")


def pictures(folder: Path, n: int) -> Path:
    """``n`` pictures to train and validate on, and some to test on, as JPEG of 400 × 300 pixels."""
    rng = np.random.default_rng(0)
    for i in range(round(n / 0.95) + 10):
        label = folder / f"class-{i % 10}"
        label.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        small[:, :, i % 3] = 25 * (i % 10)
        picture = Image.fromarray(small).resize((400, 300), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        (label / f"{i:05}.jpg").write_bytes(out.getvalue())
    return folder


def fresh(store: Store) -> Path:
    cache = store.home / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    return cache


def bare(dataset, source, processor, cache: Path) -> None:
    """Build, decode, forward."""
    device = machine.detect().device
    target = TASK.fit_target(dataset)
    model, _ = TASK.source_model(source, target, size=processor["size"])
    model.eval().to(device)
    examples = TASK.examples(dataset, processor, target, cache / "pictures")
    for split in ("train", "validation"):
        chunks = features.in_batches(np.arange(len(examples[split])), BATCH[device])
        for _ in features.forward(TASK, model, examples[split], chunks, device):
            pass


def clocked(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--source", action="append", help="Sources; the first is the one that is advised on.")
    parser.add_argument("--json", type=Path, help="Write the seconds of every turn to this file.")
    result = parser.parse_args()
    assets = os.environ.get("TLCORE_ASSETS")
    known = [str(Path(assets) / "models" / name) for name in NAMES] if assets else []
    refs = result.source or [*known, next(s.id for s in models.catalogue.CATALOGUE.values() if s.hub_id is None)]
    options = Options(image_size=result.size)
    with tempfile.TemporaryDirectory() as place:
        store = Store.open(Path(place) / "workspace")
        folder = pictures(Path(place) / "pictures", result.n)
        cut = Split(validation=0.15, test=0.05)
        dataset = data.read(Data(path=str(folder), split=cut), task=TASK, store=store, owner="local")
        opened = [models.open_source(ref, store) for ref in refs]
        how = [TASK.processor(one.preprocess, options, dataset, machine.detect().device) for one in opened]
        few = dataset.with_train(dataset.split("train")["id"].iloc[::20])
        for source, processor in zip(opened, how, strict=True):
            guidance.measure_with(few, TASK, source, processor, fresh(store))
        seen = dataset.info.n["train"] + dataset.info.n["validation"]
        print(f"{seen} examples of {result.size} px, {len(refs)} sources, {machine.detect().description}", flush=True)

        def advise() -> None:
            guidance.measure_with(dataset, TASK, opened[0], how[0], fresh(store))

        def one_pass() -> None:
            bare(dataset, opened[0], how[0], fresh(store))

        def ranking() -> None:
            fresh(store)
            rows = guidance.rank(dataset, TASK, refs, store, options)
            assert len(rows) == len(refs), rows
            assert all(row["problem"] is None for row in rows), rows

        def passes() -> None:
            for source, processor in zip(opened, how, strict=True):
                bare(dataset, source, processor, fresh(store))

        kept = {}
        for name, work, against, target in (("advise", advise, one_pass, 1.5), ("ranking", ranking, passes, 1.2)):
            took: dict[str, list[float]] = {"measured": [], "bare": []}
            for turn in range(result.turns):
                for side in ("measured", "bare")[:: 1 if turn % 2 == 0 else -1]:
                    took[side].append(clocked(work if side == "measured" else against))
            middle = {side: median(values) for side, values in took.items()}
            ratio = middle["measured"] / middle["bare"]
            kept[name] = {**took, "ratio": ratio, "target": target}
            print(
                f"{name}: {middle['measured']:.1f} s, bare {middle['bare']:.1f} s, ratio {ratio:.2f} "
                f"(at most {target})",
                flush=True,
            )
        if result.json:
            result.json.write_text(json.dumps({"n": seen, "size": result.size, "sources": refs, **kept}, indent=1))
        store.close()


if __name__ == "__main__":
    main()
