"""Measure the evidence of every draw of the grid with every source, into ``evidence-<kind>.jsonl`` beside this file.

    python benchmarks/guidance/measure.py --work SCRATCH [--kind text] [--sources ...]

SCRATCH is the folder that ``grid.py`` worked in. Test data are not looked at. Lines that are there are passed over.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from pathlib import Path

import torch
from grid import DRAWS, spec_of
from sets import KINDS, SIZES

from tlcore import data, guidance, models, tasks
from tlcore.store import Store


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--work", type=Path, required=True)
    ask.add_argument("--kind", default="image", choices=KINDS)
    ask.add_argument("--sources", nargs="+", help="all of the kind where none is named")
    ask.add_argument("--threads", type=int, default=1)
    result = ask.parse_args()
    torch.set_num_threads(result.threads)
    kind, assets = KINDS[result.kind], Path(os.environ["TLCORE_ASSETS"]).resolve()
    store, task, path = Store.open(result.work / "workspace"), tasks.find(kind.task), kind.file("evidence")
    lines = path.read_text().splitlines() if path.exists() else []
    known = {tuple(json.loads(line)[k] for k in ("set", "size", "draw", "source")) for line in lines}
    places = itertools.product(range(DRAWS), SIZES, kind.sets, result.sources or kind.sources)
    for number, size, name, source in places:
        at = (name, size, number, source.rpartition("/")[2])
        if at in known:
            continue
        spec = spec_of(kind, assets, result.work, name, size, number, source, "feature-extraction")
        dataset = data.read(spec.data, task=task, store=store, owner="local")
        opened = models.open_source(spec.source, store)
        processor = task.processor(opened.preprocess, spec.options, dataset, "cpu")
        found = guidance.measure_with(dataset, task, opened, processor, store.home / "cache", thorough=False)
        line = dict(zip(("set", "size", "draw", "source"), at, strict=True)) | {
            "n_train": found.n_train,
            "n_per_class": found.n_per_class,
            "similarity": found.similarity,
            "parts": {part.id: part.value for part in found.similarity_parts},
            "transferability": found.transferability,
        }
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(*at, found.similarity, found.transferability["probe"]["value"], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
