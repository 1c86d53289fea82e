"""LoRA beside full fine-tuning on real texts: what share of the weights it trains, and what it gives up for that.

    python benchmarks/lora.py --work FOLDER [--sets sst2,ag_news] [--each 200] [--seeds 3] [--epochs 6]

The sets come from the folder that TLCORE_ASSETS names, with their own test sets; ``--each`` labels a class are drawn
from train. Two runs of the command line a set, with the bundled MiniLM, each with the studio's own search of its
learning rate and without a twin; their difference is the report's, nested in seeds. FOLDER keeps data and runs, so
that a second call prints what is there. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from tlcore import tasks
from tlcore.evaluation import statistics
from tlcore.report import several_runs
from tlcore.store import Store

TASK = "text-classification"


def part(assets: Path, name: str, folder: Path, each: int, most_test: int) -> Path:
    if not folder.exists():
        draft = folder.with_name(folder.name + ".part")
        draft.mkdir(parents=True, exist_ok=True)
        train, test = (pd.read_csv(next((assets / "data" / name).glob(f"{s}*.csv"))) for s in ("train", "test"))
        text, label = train.columns[:2]
        few = train.drop_duplicates(text).groupby(label).sample(each, random_state=0)
        few.to_csv(draft / "train.csv", index=False)
        test = test.drop_duplicates(text)
        test.sample(min(most_test, len(test)), random_state=0).to_csv(draft / "test.csv", index=False)
        draft.rename(folder)
    return folder


def run(folder: Path, strategy: str, args: argparse.Namespace) -> str:
    """The run's id, from its file or by running it now."""
    kept = args.work / f"{folder.name}-{strategy}-{args.seeds}.run"
    if not kept.exists():
        spec = {
            "name": kept.stem,
            "task": TASK,
            "source": "bundled/minilm-l6",
            "strategy": strategy,
            "baseline": "none",
            "seeds": args.seeds,
            "data": {"path": str(folder)},
            "budget": {"epochs": args.epochs},
        }
        path = kept.with_suffix(".yaml")
        path.write_text(yaml.safe_dump(spec))
        command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(args.work / "home")]
        kept.write_text(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["run"])
    return kept.read_text()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--work", type=Path, required=True, help="a folder that keeps what was run")
    ask.add_argument("--sets", default="sst2,ag_news")
    ask.add_argument("--each", type=int, default=200, help="training labels a class")
    ask.add_argument("--test", type=int, default=1_000, help="test texts at most")
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--epochs", type=int, default=6)
    result = ask.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the texts of this benchmark are not here")
    assets, result.work = Path(os.environ["TLCORE_ASSETS"]).resolve(), result.work.resolve()
    task = tasks.find(TASK)
    print(
        "| set | n train / test | LoRA | weights trained | fine-tuning | LoRA minus fine-tuning, points | largest "
        "difference of the merge |\n|---|--:|---|--:|---|---|--:|",
        flush=True,
    )
    for name in result.sets.split(","):
        folder = part(assets, name, result.work / "data" / f"{name}-{result.each}", result.each, result.test)
        ids = {strategy: run(folder, strategy, result) for strategy in ("lora", "fine-tuning")}
        store = Store.open(result.work / "home")
        runs = {strategy: store.runs.get(id) for strategy, id in ids.items()}
        both = {strategy: several_runs.scored(store, one) for strategy, one in runs.items()}
        apart = statistics.difference(task, both["lora"].transfer, both["fine-tuning"].transfer, both["lora"].target)
        apart = apart.estimates[task.metrics[0].id]
        results = sorted((store.runs.folder(ids["lora"]) / "arms/transfer").glob("seed-*/result.json"))
        adapters = [json.loads(one.read_text())["measured"]["lora"] for one in results]
        scores = [said(runs[strategy].report["transfer"]) for strategy in ("lora", "fine-tuning")]
        n = runs["lora"].report["dataset"]["n"]
        share = 100 * adapters[0]["share"]
        print(
            f"| {name} | {n['train']} / {n['test']} | {scores[0]} | {share:.1f} % | {scores[1]} | "
            f"{100 * apart.value:+.1f} [{100 * apart.interval[0]:.1f}, {100 * apart.interval[1]:.1f}] | "
            f"{max(one['merge_difference'] for one in adapters):.0e} |",
            flush=True,
        )
        store.close()


def said(arm: dict) -> str:
    return f"{arm['value']:.3f} [{arm['interval'][0]:.3f}, {arm['interval'][1]:.3f}]"


if __name__ == "__main__":
    main()
