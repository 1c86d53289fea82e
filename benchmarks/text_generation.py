"""Text generation on real text: tiny Shakespeare from the assets, from stories260K and from the bundled writer.

    TLCORE_ASSETS=/path/to/assets python benchmarks/text_generation.py [--characters 200000] [--seeds 3] [--epochs 10]

One whole run each, by the command line's own way: the transfer arm, its from-scratch twin, counting and the source as
it is, on the origin's own test split (the last tenth). Prints a row of Markdown for each: perplexity with its 95 %
interval, the verdict, bits per character, and the perplexity on validation data after each epoch. ``--characters``
takes the first so many of train (all where it is 0) and a ninth as many of test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml


def run(folder: Path, source: str, seeds: int, epochs: int) -> dict:
    """The report of one run."""
    spec = {
        "name": "shakespeare",
        "task": "text-generation",
        "data": {"path": str(folder / "data")},
        "source": source,
        "strategy": "fine-tuning",
        "seeds": seeds,
        "budget": {"epochs": epochs},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", "run", str(folder / "spec.yaml"), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "TLCORE_HOME": str(folder / "home")},
    )
    return json.loads(done.stdout)


def curve(folder: Path, report: dict) -> list[float]:
    """Validation perplexity after each epoch, the mean over the transfer arm's seeds."""
    from tlcore.store import Store

    store = Store.open(folder / "home")
    points = store.runs.points(report["run"])
    store.close()
    mine = points[(points["arm"] == "transfer") & (points["trial"] == "final")]
    return mine.groupby("epoch")["validation_perplexity"].mean().round(2).tolist()


def score_cell(one: dict) -> str:
    return f"{one['value']:.2f} ({one['interval'][0]:.2f} – {one['interval'][1]:.2f})"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--characters", type=int, default=200_000)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--epochs", type=int, default=10)
    asked = arguments.parse_args()
    assets = Path(os.environ["TLCORE_ASSETS"])
    print(
        "| source | blocks train / test | perplexity | from scratch | counting | source as it is | bits a character "
        "| verdict |\n|---|---|---|---|---|---|---|---|"
    )
    for source in (str(assets / "models" / "stories260K"), "bundled/studio-writer"):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "data").mkdir()
            for name, share in (("train", 1), ("test", 9)):
                text = (assets / "data" / "tiny_shakespeare" / f"{name}.txt").read_text(encoding="utf-8")
                most = asked.characters // share if asked.characters else None
                (folder / "data" / f"{name}.txt").write_text(text[:most], encoding="utf-8")
            report = run(folder, source, asked.seeds, asked.epochs)
            naive = {one["id"]: score_cell(one) for one in report["naive"]}
            n = report["dataset"]["n"]
            size = f"{n['train']} / {n['test']}"
            print(
                f"| {Path(source).name} | {size} | {score_cell(report['transfer'])} | "
                f"{score_cell(report['baseline'])} | {naive['n-gram']} | {naive['source-as-it-is']} | "
                f"{report['transfer']['metrics']['bits-per-character']:.3f} | {report['verdict']} |"
            )
            print(f"<!-- validation perplexity by epoch: {curve(folder, report)} -->", flush=True)


if __name__ == "__main__":
    main()
