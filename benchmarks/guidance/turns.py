"""Train cells of the grid on other validation sets in turn, as the last rung of a pilot race does.

    python benchmarks/guidance/turns.py --work SCRATCH [--sizes few many] [--sources ...]

For the first draw of each set, in every further turn (`tlcore.guidance.turns`) each strategy is trained once, and what
it got right of that turn's validation examples goes to ``turns.jsonl`` beside this file. Test data are not scored.
Lines that are there are passed over. ``regret.py`` reads them; SCRATCH is the folder that ``grid.py`` worked in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from grid import SETS, SIZES, SOURCES, STRATEGIES, TASK, spec_of

from tlcore import data, flow, sources, tasks
from tlcore.guidance import turns
from tlcore.store import Store
from tlcore.strategies.plan import epochs_of
from tlcore.training import fit
from tlcore.training.watch import Watch

LINES = Path(__file__).with_name("turns.jsonl")
TRANSFER = tuple(name for name in STRATEGIES if name != "scratch")


def cell(store: Store, assets: Path, work: Path, name: str, size: str, source: str, strategy: str) -> Iterator[dict]:
    """What the strategy got right in every turn, the dataset's own validation set first."""
    spec, task = spec_of(assets, work, name, size, 0, source, strategy), tasks.find(TASK)
    dataset = data.read(spec.data, task=task, store=store, owner="local")
    opened = sources.open_source(spec.source, store)
    plan = flow.plan_for(spec, task, dataset, opened)
    arm, target, kept = plan["arms"]["transfer"], task.fit_target(dataset), None
    for number, turn in enumerate(turns.turns(task, dataset)):
        run = store.runs.create(spec, "local")
        folder = store.runs.folder(run.id)
        watch = Watch(lambda *a, **k: None, store, run.id, plan)
        told = fit.Fitting(task, turn, opened, target, plan, folder, store.home / "cache", watch)
        told.examples = {split: told.examples[split] for split in ("train", "validation")}
        kept = kept if kept is not None else fit.frozen(told, "transfer")
        mine = turns.rearranged(kept, dataset, turn) if kept else {}
        began = time.monotonic()
        if number or strategy == "feature-extraction":  # the own validation set is in grid.jsonl
            rate = arm["rates"][0] if arm["rates"] else None
            out, _, _ = fit.trial(told, "transfer", rate, epochs_of(arm), mine)
            found = task.evaluate(out, told.examples["validation"], target).columns
            sure = found["probability"][np.arange(len(found["truth"])), found["truth"]]
            yield {
                "turn": number, "right": "".join("1" if hit else "0" for hit in found["truth"] == found["prediction"]),
                "sure": [round(float(p), 4) for p in sure], "seconds": round(time.monotonic() - began, 1),
            }  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True)
    ask.add_argument("--sources", nargs="+", default=list(SOURCES))
    ask.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    ask.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    ask.add_argument("--threads", type=int, default=1)
    told = ask.parse_args()
    torch.set_num_threads(told.threads)
    assets, store = Path(os.environ["TLCORE_ASSETS"]).resolve(), Store.open(told.work / "workspace")
    lines = LINES.read_text().splitlines() if LINES.exists() else []
    known = {tuple(json.loads(line)[k] for k in ("set", "size", "source", "strategy")) for line in lines}
    for size in told.sizes:
        for name in told.sets:
            for source in told.sources:
                for strategy in TRANSFER:
                    at = (name, size, source.rpartition("/")[2], strategy)
                    if at in known:
                        continue
                    found = list(cell(store, assets, told.work, name, size, source, strategy))
                    head = dict(zip(("set", "size", "source", "strategy"), at, strict=True))
                    with LINES.open("a") as file:
                        file.writelines(json.dumps(head | one) + "\n" for one in found)
                    print(*at, sum(one["seconds"] for one in found), "s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
