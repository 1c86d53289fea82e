"""Translation on multi30k (English to German): does the score rise over the epochs, and does the bundle answer?

    python benchmarks/translation.py --pairs 4000 --epochs 12

Needs ``TLCORE_ASSETS``. Trains the bundled encoder with a fresh decoder, and its twin, on a part of the training pairs,
in a workspace that is thrown away. Prints the curve, the scores against twin and naive, and what the bundle writes.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from tlcore.bundle import Bundle
from tlcore.execution.foreground import run_here
from tlcore.spec import from_dict
from tlcore.store import Store


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--pairs", type=int, default=3000, help="training pairs")
    arguments.add_argument("--test", type=int, default=300, help="test pairs")
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--rate", type=float, default=8e-4, help="learning rate; 0 searches it")
    arguments.add_argument("--source", default="bundled/minilm-l6")
    asked = arguments.parse_args()
    given = Path(os.environ["TLCORE_ASSETS"]) / "data" / "multi30k_en_de"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for split, most in (("train", asked.pairs), ("val", 300), ("test", asked.test)):
            part(given / f"{split}.csv", folder / "data" / f"{split}.csv", most)
        spec = from_dict(
            {
                "name": "multi30k",
                "task": "translation",
                "data": {"path": str(folder / "data")},
                "source": asked.source,
                "strategy": "fine-tuning",
                "seeds": asked.seeds,
                "budget": {"epochs": asked.epochs},
                "options": {"batch_size": 32, "learning_rate": asked.rate or "auto"},
            }
        )
        store = Store.open(folder / "home")
        run = store.runs.create(spec, "local")
        started = time.perf_counter()
        job = run_here(store, run.id)
        assert job.state == "succeeded", job.error
        report = store.runs.get(run.id).report
        print(f"{asked.pairs} pairs, {asked.epochs} epochs at most: {time.perf_counter() - started:.0f} s in all")
        points = store.runs.points(run.id)
        for arm in ("transfer", "twin"):
            curve = points[(points["arm"] == arm) & (points["seed"] == 0) & (points["trial"] == "final")]
            shown = " ".join(f"{value:.3f}" for value in curve["validation_chrf"])
            print(f"{arm}: chrF on validation data by epoch {shown}")
        for name in ("transfer", "baseline"):
            print(name, {key: round(value, 4) for key, value in report[name]["metrics"].items()})
        for one in report["naive"]:
            print(one["id"], {key: round(value, 4) for key, value in one["metrics"].items()} or one["reason"])
        print("against", report["reference"]["id"], report["difference"]["value"], report["difference"]["interval"])
        bundle = Bundle.open(report["bundle"])
        texts = [row["source"] for row in rows(folder / "data" / "test.csv")][:5]
        for beams in (1, 4):
            bundle.choose({"beams": beams})
            for text, row in zip(texts, bundle.predict(texts), strict=True):
                print(f"{beams} beams: {text} → {row.prediction}")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def part(source: Path, target: Path, most: int) -> None:
    """Rows drawn at random from a table of pairs."""
    every = rows(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, ["source", "target"])
        out.writeheader()
        for place in np.sort(np.random.default_rng(0).permutation(len(every))[:most]):
            out.writerow(every[place])


if __name__ == "__main__":
    main()
