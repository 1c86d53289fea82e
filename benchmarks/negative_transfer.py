"""A source that hurts on real data: handwritten digits by a network that learned photographs, against its own twin.

    python benchmarks/negative_transfer.py [--strategy feature-extraction] [--work FOLDER]

Ten pictures a class of MNIST (drawn once, by seed 0; TLCORE_ASSETS names the folder they come from) and the bundled
``studio-small`` at 64 px. `tlcore advise` measures first, then one `tlcore run` with 3 seeds and the full twin; all 500
test pictures score. Printed are what the evidence said beforehand, both scores, the verdict and its explanation.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

EACH, SOURCE, TASK, SIDE = 10, "bundled/studio-small", "image-classification", 64


def draw(origin: Path, folder: Path) -> Path:
    """``train`` with so many pictures a class, ``test`` whole."""
    if folder.exists():
        return folder
    rng = np.random.default_rng(0)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    for label in sorted(p.name for p in (origin / "train").iterdir() if p.is_dir()):
        files = sorted((origin / "train" / label).iterdir())
        (draft / "train" / label).mkdir(parents=True)
        for i in rng.permutation(len(files))[:EACH]:
            shutil.copyfile(files[i], draft / "train" / label / files[i].name)
    shutil.copytree(origin / "test", draft / "test")
    draft.rename(folder)
    return folder


def cli_json(workspace: Path, *words: str) -> dict:
    """What the command line answers, as JSON."""
    command = [sys.executable, "-m", "tlcore", *words, "--json", "--workspace", str(workspace)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--strategy", default="feature-extraction")
    ask.add_argument("--work", type=Path, help="kept afterwards; without it a folder that is deleted")
    asked = ask.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the pictures of this benchmark are not here")
    origin = Path(os.environ["TLCORE_ASSETS"]).resolve() / "data" / "digits_mnist_usps" / "mnist"
    with tempfile.TemporaryDirectory() as scratch:
        work = asked.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        show(*measured(draw(origin, work / "digits"), work, asked.strategy))


def measured(data: Path, work: Path, strategy: str) -> tuple[dict, dict]:
    """The advice, and the report of the run."""
    spec = {
        "name": "digits from photographs",
        "task": TASK,
        "source": SOURCE,
        "strategy": strategy,
        "data": {"path": str(data)},
        "options": {"image_size": SIDE},
    }
    (work / "spec.yaml").write_text(yaml.safe_dump(spec))
    workspace = work / "workspace"
    advice = cli_json(workspace, "advise", "--task", TASK, "--data", str(data), "--source", SOURCE)
    return advice, cli_json(workspace, "run", str(work / "spec.yaml"))


def show(advice: dict, report: dict) -> None:
    evidence = advice["evidence"]
    probe = evidence["transferability"]["probe"]
    print(
        f"before training: similarity {evidence['similarity']:.2f} {_pair(evidence['similarity_interval'])}, probe "
        f"{probe['value']:.3f} {_pair(probe['interval'])}, advice {advice['strategy']}, risk of negative transfer "
        f"{advice['risk']:.2f}"
    )
    for arm, cost in (("transfer", "transfer"), ("baseline", "twin")):
        one, spent = report[arm], report["cost"][cost]
        print(
            f"{arm}: accuracy {one['value']:.3f} {_pair(one['interval'])}, {spent['seconds']:.0f} s of training and "
            f"{spent['seconds_search']:.0f} s of search"
        )
    difference = report["difference"]
    ends = _pair([100 * end for end in difference["interval"]], 1)
    print(
        f"{report['verdict']}: {100 * difference['value']:+.1f} points {ends}, n = {report['n_test']}, "
        f"{report['seeds']} seeds"
    )
    explained = report.get("explanation") or {"signs": [], "suggestions": []}
    for kind in ("signs", "suggestions"):
        for one in explained[kind]:
            print(f"{kind[:-1]}: {_words(one['sentence'])}")


def _words(sentence: dict) -> str:
    from tlcore.core.i18n import Sentence

    return str(Sentence.model_validate(sentence))


def _pair(ends: list[float], digits: int = 3) -> str:
    return f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


if __name__ == "__main__":
    main()
