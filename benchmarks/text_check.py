"""How long the check of a large table of texts takes, and how much memory: a CSV of 1,000,000 rows.

    python benchmarks/text_check.py [--rows 1000000] [--keep FOLDER]

Texts are made of words drawn by Zipf's law, 20 on average; one in fifty is another one with a word changed, one in five
hundred a copy. Prints one JSON object: seconds of reading, checking and of cutting the split, and the peak resident
memory of the process (MB) with what it was before the table was opened.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

LABELS = ("praise", "question", "complaint", "order", "other")
WORDS = 50_000


def make(path: Path, rows: int) -> None:
    """The table, written 10,000 rows at a time."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, int(rng.integers(2, 11)))) for _ in range(WORDS)]
    likely = 1 / np.arange(1, WORDS + 1)
    likely /= likely.sum()
    last: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for start in range(0, rows, 10_000):
            lengths = rng.poisson(20, min(10_000, rows - start)) + 1
            drawn = iter(rng.choice(WORDS, int(lengths.sum()), p=likely))
            for i, length in enumerate(lengths, start):
                text = [words[next(drawn)] for _ in range(length)]
                if last and i % 500 == 0:
                    text = last
                elif last and i % 50 == 0:
                    text = [*last[:-1], "changed"]
                last = text
                file.write(f"{' '.join(text)},{LABELS[i % len(LABELS)]}\n")


def peak() -> float:
    """Peak resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to work in that is not deleted; its t.csv is used again")
    asked = parser.parse_args()

    from tlcore import tasks
    from tlcore.core.spec_parts import Split
    from tlcore.data.confirm import confirm
    from tlcore.data.staging import stage
    from tlcore.store import Store

    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / "t.csv"
        if not table.exists():
            make(table, asked.rows)
        store, before = Store.open(folder / "workspace"), peak()
        began = time.perf_counter()
        staged = stage(table, task=tasks.find("text-classification"), folder=folder / "staging")
        checked, after_check = time.perf_counter(), peak()
        dataset = confirm(staged, store, split=Split(), corrections=None, name="benchmark", owner="local")
        done, n = time.perf_counter(), dataset.info.n
        store.close()
        megabytes = table.stat().st_size / 1e6
    print(
        json.dumps(
            {
                "rows": asked.rows,
                "megabytes": round(megabytes, 1),
                "kept": len(staged.rows),
                "seconds_check": round(checked - began, 1),
                "seconds_dataset": round(done - checked, 1),
                "memory_before": round(before),
                "memory_after_check": round(after_check),
                "memory_peak": round(peak()),
                "memory_over_rest": round(peak() - before),
                "findings": {f.code: f.count for f in staged.findings},
                "n": n,
            }
        )
    )


if __name__ == "__main__":
    main()
