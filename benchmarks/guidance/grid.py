"""Train the grid that the advice is fitted on and judged by: data sets x sizes x sources x strategies.

    python benchmarks/guidance/grid.py --work SCRATCH [--sources ...] [--sets ...] [--only strategy ...]

Every cell is what a run does, without its report: a stratified draw of the set's train/ becomes a dataset of its own
(validation is cut from it), the plan is the studio's, and the trained model is scored on test/. To keep it affordable
on two cores: at most 200 examples to train and validate on, 96 px (64 for pictures smaller than that), and the middle
learning rate of each strategy instead of a search; epochs and early stopping are the studio's own. Two draws of each
size; the training seed is the draw.

One JSON line a cell goes to ``grid.jsonl`` beside this file; cells that are there are passed over. The evidence is
measured afterwards by ``measure.py`` in the same scratch workspace, where features are cached. Sets and sources come
from the folder that TLCORE_ASSETS names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch

from tlcore import data, flow, sources, tasks
from tlcore.spec import Spec, from_dict
from tlcore.store import Store
from tlcore.training.fitting import Fitting

HERE = Path(__file__).parent
LINES = HERE / "grid.jsonl"
TASK = "image-classification"
# name -> (folder that holds train/ and test/, picture size)
SETS = {
    "hymenoptera": ("hymenoptera", 96),
    "flowers5": ("flowers5", 96),
    "covid_xray": ("covid_xray", 96),
    "pacs-photo": ("pacs_photo_art/photo", 96),
    "pacs-art": ("pacs_photo_art/art_painting", 96),
    "cifar10": ("cifar10", 64),
    "mnist": ("digits_mnist_usps/mnist", 64),
    "usps": ("digits_mnist_usps/usps", 64),
}
SIZES = {"few": 10, "many": None}  # examples a class; None: as many as 200 in all allow
MOST, MOST_TEST = 200, 400
DRAWS = 2
STRATEGIES = ("feature-extraction", "fine-tuning", "linear-probe-then-fine-tune", "scratch")
RATE = {"fine-tuning": 4e-4, "linear-probe-then-fine-tune": 4e-4, "scratch": 1.6e-3}
SOURCES = ("mobilenetv2_100_in1k", "mobilenetv2_100_inat_bird", "bundled/studio-small")


def draw(assets: Path, work: Path, name: str, size: str, number: int) -> Path:
    """A folder with train/ (a stratified draw) and test/ (at most 400, the same for every draw), by copy."""
    folder = work / "draws" / f"{name}-{size}-{number}"
    if folder.exists():
        return folder
    origin = assets / "data" / SETS[name][0]
    labels = sorted(p.name for p in (origin / "train").iterdir() if p.is_dir())
    wanted = {"train": SIZES[size] or MOST // len(labels), "test": MOST_TEST // len(labels)}
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    for split, most in wanted.items():
        rng = np.random.default_rng(number if split == "train" else 0)
        for label in labels:
            files = sorted((origin / split / label).iterdir())
            (draft / split / label).mkdir(parents=True)
            for i in rng.permutation(len(files))[:most]:
                shutil.copyfile(files[i], draft / split / label / files[i].name)
    draft.rename(folder)
    return folder


def spec_of(assets: Path, work: Path, name: str, size: str, number: int, source: str, strategy: str) -> Spec:
    options = {"image_size": SETS[name][1]} | ({"learning_rate": RATE[strategy]} if strategy in RATE else {})
    return from_dict({
        "name": f"{name}-{size}-{number}", "task": TASK, "source": located(assets, source), "strategy": strategy,
        "data": {"path": str(draw(assets, work, name, size, number)), "split": {"seed": number}},
        "baseline": "none", "seeds": 1, "options": options,
    })  # fmt: skip


def located(assets: Path, source: str) -> str:
    return source if source.startswith("bundled/") else str(assets / "models" / source)


def cell(store: Store, spec: Spec) -> dict:
    """Train and score one cell."""
    from tlcore.training import fit
    from tlcore.training.watch import Watch

    task = tasks.find(TASK)
    dataset = data.read(spec.data, task=task, store=store, owner="local")
    source = sources.open_source(spec.source, store)
    plan = flow.plan_for(spec, task, dataset, source)
    run = store.runs.create(spec, "local")
    folder = store.runs.folder(run.id)
    target = task.fit_target(dataset)
    watch = Watch(lambda *a, **k: None, store, run.id, plan)
    result = fit.fit(Fitting(task, dataset, source, target, plan, folder, store.home / "cache", watch))
    [done] = result["transfer"]
    examples = task.examples(dataset, plan["processor"], target, None)
    records = task.evaluate(done.outputs("test"), examples["test"], target)
    hits = records.columns["truth"] == records.columns["prediction"]
    seen = task.evaluate(done.outputs("validation"), examples["validation"], target).columns
    sure = seen["probability"][np.arange(len(seen["truth"])), seen["truth"]]
    shutil.rmtree(folder)
    return {
        "n": dataset.info.n["train"] + dataset.info.n["validation"], "n_test": len(hits),
        "accuracy": float(hits.mean()), "validation": done.validation["accuracy"], "train": done.train["accuracy"],
        "seconds": round(done.seconds + done.seconds_search, 1), "epochs": done.epochs,
        "right": "".join("1" if hit else "0" for hit in hits), "fingerprint": dataset.fingerprint,
        "validation_sure": [round(float(p), 4) for p in sure],  # the probability of each picture's own class
        "validation_right": "".join("1" if hit else "0" for hit in seen["truth"] == seen["prediction"]),
    }  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True, help="scratch folder: draws and workspace")
    ask.add_argument("--sources", nargs="+", default=list(SOURCES))
    ask.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    ask.add_argument("--only", nargs="+", default=list(STRATEGIES), choices=STRATEGIES)
    ask.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    ask.add_argument("--draws", nargs="+", type=int, default=list(range(DRAWS)))
    ask.add_argument("--threads", type=int, default=1, help="several processes of one thread use a machine best")
    told = ask.parse_args()
    torch.set_num_threads(told.threads)
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    store = Store.open(told.work / "workspace")
    lines = LINES.read_text().splitlines() if LINES.exists() else []
    known = {tuple(json.loads(line)[k] for k in ("set", "size", "draw", "source", "strategy")) for line in lines}
    for number in told.draws:
        for source in told.sources:
            for size in told.sizes:
                for name in told.sets:
                    for strategy in told.only:
                        at = (name, size, number, source.rpartition("/")[2], strategy)
                        if at in known:
                            continue
                        began = time.monotonic()
                        found = cell(store, spec_of(assets, told.work, name, size, number, source, strategy))
                        line = dict(zip(("set", "size", "draw", "source", "strategy"), at, strict=True)) | found
                        with LINES.open("a") as file:
                            file.write(json.dumps(line) + "\n")
                        print(*at, f"{found['accuracy']:.3f}", f"{time.monotonic() - began:.0f} s", file=sys.stderr,
                              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
