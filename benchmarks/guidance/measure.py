"""Measure the evidence of every draw of the grid with every source, into ``evidence.jsonl`` beside this file.

    python benchmarks/guidance/measure.py --work SCRATCH [--sources ...]

SCRATCH is the folder that ``grid.py`` worked in. Test data are not looked at. Lines that are there are passed over.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import torch
from grid import DRAWS, SETS, SIZES, SOURCES, TASK, spec_of

from tlcore import data, guidance, sources, tasks
from tlcore.store import Store

LINES = Path(__file__).with_name("evidence.jsonl")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True)
    ask.add_argument("--sources", nargs="+", default=list(SOURCES))
    ask.add_argument("--threads", type=int, default=1)
    told = ask.parse_args()
    torch.set_num_threads(told.threads)
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    store, task = Store.open(told.work / "workspace"), tasks.find(TASK)
    lines = LINES.read_text().splitlines() if LINES.exists() else []
    known = {tuple(json.loads(line)[k] for k in ("set", "size", "draw", "source")) for line in lines}
    for number in range(DRAWS):
        for size in SIZES:
            for name in SETS:
                for source in told.sources:
                    at = (name, size, number, source.rpartition("/")[2])
                    if at in known:
                        continue
                    spec = spec_of(assets, told.work, name, size, number, source, "feature-extraction")
                    dataset = data.read(spec.data, task=task, store=store, owner="local")
                    opened = sources.open_source(spec.source, store)
                    processor = task.processor(opened.preprocess, spec.options, dataset, "cpu")
                    found = guidance.measure_with(dataset, task, opened, processor, store.home / "cache",
                                                  thorough=False)  # fmt: skip
                    line = dict(zip(("set", "size", "draw", "source"), at, strict=True)) | {
                        "n_train": found.n_train, "n_per_class": found.n_per_class, "similarity": found.similarity,
                        "parts": {part.id: part.value for part in found.similarity_parts},
                        "transferability": found.transferability,
                    }  # fmt: skip
                    with LINES.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(*at, found.similarity, found.transferability["probe"]["value"], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
