"""Question answering on a part of SQuAD 2.0: MiniLM against its scratch twin and the naive answers.

    python benchmarks/question_answering.py --questions 800 --test 300 --epochs 4

Needs ``TLCORE_ASSETS``. Takes whole paragraphs drawn at random from the set's own train and test files until there are
so many questions (0: all of them), and trains in a workspace that is thrown away. Prints the curves, the scores of
answerable and unanswerable questions, and the verdict. Half of the set's questions have no answer, so saying nothing
reaches an F1 of one half; --answerable leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from tlcore.core.i18n import Sentence
from tlcore.execution.foreground import run_here
from tlcore.spec import from_dict
from tlcore.store import Store


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--questions", type=int, default=800, help="training questions, at least")
    arguments.add_argument("--test", type=int, default=300, help="test questions, at least")
    arguments.add_argument("--answerable", action="store_true", help="leave out questions without an answer")
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--rate", type=float, default=2e-4, help="learning rate of both arms; 0 searches it")
    arguments.add_argument("--strategy", default="fine-tuning")
    arguments.add_argument("--source", default="bundled/minilm-l6")
    asked = arguments.parse_args()
    given = Path(os.environ["TLCORE_ASSETS"]) / "data" / "squad2_en"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "data").mkdir()
        for split, most in (("train", asked.questions), ("test", asked.test)):
            result = part(json.loads((given / f"{split}.json").read_text()), most, asked.answerable)
            (folder / "data" / f"{split}.json").write_text(json.dumps(result))
        spec = from_dict(
            {
                "name": "squad2_en",
                "task": "question-answering",
                "data": {"path": str(folder / "data")},
                "source": asked.source,
                "strategy": asked.strategy,
                "seeds": asked.seeds,
                "budget": {"epochs": asked.epochs},
                "options": {"batch_size": 16, "learning_rate": asked.rate or "auto"},
            }
        )
        store = Store.open(folder / "home")
        run = store.runs.create(spec, "local")
        started = time.perf_counter()
        job = run_here(store, run.id)
        assert job.state == "succeeded", job.error
        kept = store.runs.get(run.id)
        assert kept is not None
        tell(kept.report, store.runs.points(run.id), time.perf_counter() - started)
        store.close()


def tell(report: dict, points: object, seconds: float) -> None:
    print(f"{report['dataset']['n']}, {report['seeds']} seeds: {seconds:.0f} s in all")
    for arm in ("transfer", "twin"):
        curve = points[(points["arm"] == arm) & (points["seed"] == 0) & (points["trial"] == "final")]
        print(f"{arm}: F1 on validation data by epoch", *(f"{value:.3f}" for value in curve["validation_f1"]))
    for name in ("transfer", "baseline"):
        print(
            name,
            *(f"{key} {value:.3f} {report[name]['intervals'][key]}" for key, value in report[name]["metrics"].items()),
        )
    for one in report["naive"]:
        result = {key: round(value, 3) for key, value in one["metrics"].items()}
        print(one["id"], result or Sentence.model_validate(one["reason"]))
    for row in report["slices"]["rows"]:
        print("part:", Sentence.model_validate(row["name"]), f"n = {row['n']}", f"F1 {row['score']:.3f}")
    print(Sentence.model_validate(report["sentences"]["verdict"]))


def part(result: dict, most: int, answerable: bool) -> dict:
    """Articles with paragraphs drawn at random until they hold so many questions."""
    places = [(a, p) for a, article in enumerate(result["data"]) for p in range(len(article["paragraphs"]))]
    chosen: list[tuple[int, int]] = []
    count = 0
    for place in np.random.default_rng(0).permutation(len(places)):
        if most and count >= most:
            break
        a, p = places[place]
        paragraph = result["data"][a]["paragraphs"][p]
        if answerable:
            paragraph["qas"] = [one for one in paragraph["qas"] if not one["is_impossible"]]
        if paragraph["qas"]:
            chosen.append((a, p))
            count += len(paragraph["qas"])
    kept = set(chosen)
    articles = [
        {**article, "paragraphs": [one for p, one in enumerate(article["paragraphs"]) if (a, p) in kept]}
        for a, article in enumerate(result["data"])
    ]
    return {**result, "data": [one for one in articles if one["paragraphs"]]}


if __name__ == "__main__":
    main()
