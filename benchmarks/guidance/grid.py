"""Train the grid that the advice is fitted on and judged by: data sets x sizes x sources x strategies.

    python benchmarks/guidance/grid.py --work SCRATCH [--kind text] [--sources ...] [--sets ...] [--only strategy ...]

Every cell is what a run does, without its report: a stratified draw of the set's train part becomes a dataset of its
own (validation is cut from it), the plan is the studio's, and the trained model is scored on the test part. To keep it
affordable on two cores: at most 200 examples to train and validate on, pictures of 96 px (64 where they are smaller
than that), and the middle learning rate of each strategy instead of a search; epochs and early stopping are the
studio's own. Two draws of each size; the training seed is the draw.

One JSON line a cell goes to ``grid-<kind>.jsonl`` beside this file; cells that are there are passed over. The evidence
is measured afterwards by ``measure.py`` in the same scratch workspace, where features are cached.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sets import KINDS, SIZES, Kind

from tlcore import data, flow, models, tasks
from tlcore.spec import Spec, from_dict
from tlcore.store import Store
from tlcore.training.context import TrainingContext

DRAWS = 2
STRATEGIES = ("feature-extraction", "fine-tuning", "linear-probe-then-fine-tune", "scratch")


def spec_of(
    kind: Kind, assets: Path, work: Path, name: str, size: str, number: int, source: str, strategy: str
) -> Spec:
    rate = {"learning_rate": kind.rates[strategy]} if strategy in kind.rates else {}
    return from_dict(
        {
            "name": f"{name}-{size}-{number}",
            "task": kind.task,
            "source": located(assets, source),
            "strategy": strategy,
            "data": {"path": str(kind.place(assets, work, name, size, number)), "split": {"seed": number}},
            "baseline": "none",
            "seeds": 1,
            "options": kind.options(kind.sets[name]) | rate,
        }
    )


def located(assets: Path, source: str) -> str:
    return source if source.startswith("bundled/") else str(assets / "models" / source)


def cell(store: Store, spec: Spec) -> dict:
    """Train and score one cell."""
    from tlcore.training import fit
    from tlcore.training.run_progress import Watch

    task = tasks.find(spec.task)
    dataset = data.read(spec.data, task=task, store=store, owner="local")
    source = models.open_source(spec.source, store)
    plan = flow.plan_for(spec, task, dataset, source)
    run = store.runs.create(spec, "local")
    folder = store.runs.folder(run.id)
    target = task.fit_target(dataset)
    watch = Watch(lambda *a, **k: None, store, run.id, plan)
    result = fit.fit(TrainingContext(task, dataset, source, target, plan, folder, store.home / "cache", watch))
    [done] = result["transfer"]
    examples = task.examples(dataset, plan["processor"], target, None)
    records = task.evaluate(done.outputs("test"), examples["test"], target)
    hits = records.columns["truth"] == records.columns["prediction"]
    seen = task.evaluate(done.outputs("validation"), examples["validation"], target).columns
    sure = seen["probability"][np.arange(len(seen["truth"])), seen["truth"]]
    shutil.rmtree(folder)
    return {
        "n": dataset.info.n["train"] + dataset.info.n["validation"],
        "n_test": len(hits),
        "accuracy": float(hits.mean()),
        "validation": done.validation["accuracy"],
        "train": done.train["accuracy"],
        "seconds": round(done.seconds + done.seconds_search, 1),
        "epochs": done.epochs,
        "right": "".join("1" if hit else "0" for hit in hits),
        "fingerprint": dataset.fingerprint,
        "validation_sure": [round(float(p), 4) for p in sure],  # the probability of each example's own class
        "validation_right": "".join("1" if hit else "0" for hit in seen["truth"] == seen["prediction"]),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True, help="scratch folder: draws and workspace")
    ask.add_argument("--kind", default="image", choices=KINDS)
    ask.add_argument("--sources", nargs="+", help="all of the kind where none is named")
    ask.add_argument("--sets", nargs="+", help="all of the kind where none is named")
    ask.add_argument("--only", nargs="+", default=list(STRATEGIES), choices=STRATEGIES)
    ask.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    ask.add_argument("--draws", nargs="+", type=int, default=list(range(DRAWS)))
    ask.add_argument("--threads", type=int, default=1, help="several processes of one thread use a machine best")
    result = ask.parse_args()
    torch.set_num_threads(result.threads)
    kind, assets = KINDS[result.kind], Path(os.environ["TLCORE_ASSETS"]).resolve()
    store = Store.open(result.work / "workspace")
    path = kind.file("grid")
    lines = path.read_text().splitlines() if path.exists() else []
    known = {tuple(json.loads(line)[k] for k in ("set", "size", "draw", "source", "strategy")) for line in lines}
    for number, source, size, name, strategy in itertools.product(
        result.draws, result.sources or kind.sources, result.sizes, result.sets or kind.sets, result.only
    ):
        at = (name, size, number, source.rpartition("/")[2], strategy)
        if at in known:
            continue
        began = time.monotonic()
        found = cell(store, spec_of(kind, assets, result.work, name, size, number, source, strategy))
        line = dict(zip(("set", "size", "draw", "source", "strategy"), at, strict=True)) | found
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(*at, f"{found['accuracy']:.3f}", f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
