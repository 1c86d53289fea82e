"""Few labels on real texts: feature extraction, contrastive tuning and fine-tuning of MiniLM; scratch and TF-IDF.

    python benchmarks/few_labels_text.py --work FOLDER [--sets sst2,tweets_mg_pt] [--labels 8,64,all] [--seeds 3]

The sets come from the folder that TLCORE_ASSETS names, with their own test sets. Each cell is one `tlcore run`; its
report is kept in FOLDER, so that a second call goes on where the first one stopped. The twin does not depend on the
strategy, so it is trained once, by the fine-tuning run, and the others are set against it. Prints a Markdown table.
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

TASK, TWINNED = "sentiment-analysis", "fine-tuning"
STRATEGIES = (TWINNED, "feature-extraction", "contrastive-then-head")
VALIDATION = 0.5  # of the few labels: as many to choose by as to learn from


def part(assets: Path, name: str, labels: str, work: Path, most_test: int) -> Path:
    """The set with so many training labels a class (validation is cut from as many more), and its test set."""
    folder = work / "data" / f"{name}-{labels}"
    if not folder.exists():
        draft = folder.with_name(folder.name + ".tmp")
        draft.mkdir(parents=True, exist_ok=True)
        train, test = (pd.read_csv(next((assets / "data" / name).glob(f"{s}*.csv"))) for s in ("train", "test"))
        train, test = train.drop_duplicates("text"), test.drop_duplicates("text")
        if labels != "all":
            n = round(int(labels) / (1 - VALIDATION))
            train = train.groupby("label").sample(n, random_state=0)
        train.to_csv(draft / "train.csv", index=False)
        test.sample(min(most_test, len(test)), random_state=0).to_csv(draft / "test.csv", index=False)
        draft.rename(folder)
    return folder


def report(folder: Path, labels: str, strategy: str, args: argparse.Namespace) -> dict:
    """The report of one cell, from its file or by running it now."""
    kept = args.work / f"{folder.name}-{strategy}-{args.seeds}.json"
    if not kept.exists():
        share = 0.15 if labels == "all" else VALIDATION
        spec = {
            "name": kept.stem,
            "task": TASK,
            "strategy": strategy,
            "seeds": args.seeds,
            "baseline": "scratch" if strategy == TWINNED else "none",
            "source": "bundled/minilm-l6",
            "budget": {"epochs": args.epochs or "auto"},
            "data": {"path": str(folder), "split": {"validation": share, "test": 0.2}},
        }
        path = args.work / f"{kept.stem}.yaml"
        path.write_text(yaml.safe_dump(spec))
        command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(args.work / "home")]
        draft = kept.with_suffix(".tmp")
        draft.write_bytes(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        draft.rename(kept)
    return json.loads(kept.read_bytes())


def apart(store: Store, found: dict, twinned: dict) -> str:
    """The difference from the twin that the other run trained on the same data, and the verdict."""
    task, runs = tasks.find(TASK), [store.runs.get(one["run"]) for one in (found, twinned)]
    ours, theirs = (several_runs.scored(store, run) for run in runs)
    assert ours.dataset == theirs.dataset
    result = statistics.difference(task, ours.transfer, theirs.scratch, ours.target)
    one = result.estimates[result.headline]
    low, high = one.interval
    return f"{100 * one.value:+.1f} points [{100 * low:.1f}, {100 * high:.1f}] | {result.verdict}"


def scored(arm: dict) -> str:
    low, high = arm["interval"]
    return f"{arm['value']:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder that keeps what was run")
    parser.add_argument("--sets", default="sst2,tweets_mg_pt")
    parser.add_argument("--labels", default="8,64,all", help="training labels a class")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="epochs at most; the studio's own choice where none is given")
    parser.add_argument("--test", type=int, default=1_000, help="test texts at most")
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the texts of this benchmark are not here")
    assets, result.work = Path(os.environ["TLCORE_ASSETS"]).resolve(), result.work.resolve()
    result.work.mkdir(parents=True, exist_ok=True)
    print("| set | labels a class | strategy | n test | transfer | scratch twin | difference | verdict | TF-IDF |")
    print("|---|--:|---|--:|---|---|---|---|--:|", flush=True)
    for name in result.sets.split(","):
        for labels in result.labels.split(","):
            folder = part(assets, name, labels, result.work, result.test)
            twinned = report(folder, labels, TWINNED, result)
            store = Store.open(result.work / "home")
            for strategy in result.strategies.split(","):
                found = report(folder, labels, strategy, result)
                words = next(one for one in found["naive"] if one["id"] == "words")
                print(
                    f"| {name} | {labels} | {strategy} | {found['n_test']} | {scored(found['transfer'])} | "
                    f"{scored(twinned['baseline'])} | {apart(store, found, twinned)} | {words['value']:.3f} |",
                    flush=True,
                )
            store.close()


if __name__ == "__main__":
    main()
