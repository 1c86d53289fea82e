"""Train cells of the grid on other validation sets in turn, as the last rung of a pilot race does.

    python benchmarks/guidance/turns.py --work SCRATCH [--sizes few many] [--sources ...]

For the first draw of each set of pictures, in every further turn (`tlcore.guidance.cross_validation`) each strategy
is trained once, and what it got right of that turn's validation examples goes to ``turns-image.jsonl`` beside this
file. Test data are not scored. Lines that are there are passed over. ``regret.py`` reads them; SCRATCH is the folder
that ``grid.py`` worked in.
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
from grid import STRATEGIES, spec_of
from sets import PICTURES, SIZES

from tlcore import data, flow, models, tasks
from tlcore.data.dataset import Dataset
from tlcore.guidance import cross_validation
from tlcore.store import Store
from tlcore.training import fit
from tlcore.training.context import TrainingContext
from tlcore.training.run_progress import Watch
from tlcore.training.workload import epochs_of

LINES = PICTURES.file("turns")
TRANSFER = tuple(name for name in STRATEGIES if name != "scratch")


def cell(
    store: Store, assets: Path, work: Path, name: str, size: str, source: str, strategy: str, number: int
) -> dict | None:
    """What the strategy got right in a further turn; None where there are not so many."""
    spec, task = spec_of(PICTURES, assets, work, name, size, 0, source, strategy), tasks.find(PICTURES.task)
    dataset = data.read(spec.data, task=task, store=store, owner="local")
    in_turn = cross_validation.folds(task, dataset)
    if number >= len(in_turn):
        return None
    opened = models.open_source(spec.source, store)
    plan = flow.plan_for(spec, task, dataset, opened)
    arm, target = plan["arms"]["transfer"], task.fit_target(dataset)
    folder = store.runs.folder(store.runs.create(spec, "local").id)
    watch = Watch(lambda *a, **k: None, store, folder.name, plan)

    def fitting(turn: Dataset) -> TrainingContext:
        result = TrainingContext(task, turn, opened, target, plan, folder, store.home / "cache", watch)
        result.examples = {split: result.examples[split] for split in ("train", "validation")}
        return result

    kept, result = fit.frozen(fitting(dataset), "transfer"), fitting(in_turn[number])
    began = time.monotonic()
    rate = arm["rates"][0] if arm["rates"] else None
    mine = cross_validation.rearranged(kept, dataset, in_turn[number])
    out, _, _ = fit.trial(result, "transfer", rate, epochs_of(arm), mine)
    found = task.evaluate(out, result.examples["validation"], target).columns
    sure = found["probability"][np.arange(len(found["truth"])), found["truth"]]
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "right": "".join("1" if hit else "0" for hit in found["truth"] == found["prediction"]),
        "sure": [round(float(p), 4) for p in sure],
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True)
    ask.add_argument("--sources", nargs="+", default=list(PICTURES.sources))
    ask.add_argument("--sets", nargs="+", default=list(PICTURES.sets), choices=PICTURES.sets)
    ask.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    ask.add_argument("--turns", nargs="+", type=int, default=list(range(1, cross_validation.MOST)))
    ask.add_argument("--threads", type=int, default=1)
    result = ask.parse_args()
    torch.set_num_threads(result.threads)
    assets, store = Path(os.environ["TLCORE_ASSETS"]).resolve(), Store.open(result.work / "workspace")
    lines = LINES.read_text().splitlines() if LINES.exists() else []
    keys = ("set", "size", "source", "strategy", "turn")
    known = {tuple(json.loads(line)[k] for k in keys) for line in lines}
    for number, size, name, source, strategy in itertools.product(
        result.turns, result.sizes, result.sets, result.sources, TRANSFER
    ):
        at = (name, size, source.rpartition("/")[2], strategy, number)
        if at in known:
            continue
        found = cell(store, assets, result.work, name, size, source, strategy, number)
        if found is not None:
            with LINES.open("a") as file:
                file.write(json.dumps(dict(zip(keys, at, strict=True)) | found) + "\n")
            print(*at, found["seconds"], "s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
