"""Pre-training on examples without labels, then fine-tuning with a few, against the same few labels from scratch.

    python benchmarks/pre_training.py [--only pictures|digits|texts] [--epochs N] [--each N] [--side PIXELS]
        [--work FOLDER]

Pictures: 8,000 of CIFAR-10 without labels (those of the pool, whatever they show), SimCLR from random weights of
``studio-small``'s architecture at 32 px, then fine-tuning with 20 labels a class. Digits: the same with the training
pictures of MNIST and USPS without labels, then 10 labels a class of USPS. Texts: banking77's training texts
without labels, hidden words with the bundled MiniLM as the start, then fine-tuning with 5 labels a class. Each is one
`tlcore run` with 3 seeds, its twin from scratch on the same labels, and the source model without pre-training beside
them; all test examples score. TLCORE_ASSETS names the folder of the data.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import yaml

PICTURES, EPOCHS = 8_000, {"pictures": 20, "digits": 100, "texts": 3}
EACH = {"pictures": 20, "digits": 10, "texts": 5}  # labels a class


def pictures(assets: Path, folder: Path, each: int) -> dict:
    """A few labelled pictures, the whole test set, and those of the pool in one heap."""
    rng, origin = np.random.default_rng(0), assets / "data" / "cifar10"
    for label in sorted(path.name for path in (origin / "train").iterdir()):
        files = sorted((origin / "train" / label).iterdir())
        place(folder / "few" / "train" / label, [files[at] for at in rng.permutation(len(files))[:each]])
        place(folder / "few" / "test" / label, sorted((origin / "test" / label).iterdir()))
    heap = folder / "heap"
    heap.mkdir()
    with tarfile.open(assets / "pool" / "cifar10.tar") as pool:
        members = sorted((one for one in pool.getmembers() if one.isfile()), key=lambda one: one.name)
        for at in np.sort(rng.permutation(len(members))[:PICTURES]):
            content = pool.extractfile(members[at])
            assert content is not None
            (heap / f"{at:05}.jpg").write_bytes(content.read())
    return {
        "task": "image-classification",
        "source": "bundled/studio-small",
        "options": {"image_size": 32},
        "data": {"path": str(folder / "few"), "unlabelled": str(heap)},
        "strategy_options": {"start": "random"},
    }


def digits(assets: Path, folder: Path, each: int) -> dict:
    """A few labelled digits of USPS, its whole test set, and the training digits of both sets in one heap."""
    rng, origin = np.random.default_rng(0), assets / "data" / "digits_mnist_usps"
    for label in "0123456789":
        files = sorted((origin / "usps" / "train" / label).iterdir())
        place(folder / "few" / "train" / label, [files[at] for at in rng.permutation(len(files))[:each]])
        place(folder / "few" / "test" / label, sorted((origin / "usps" / "test" / label).iterdir()))
    heap = folder / "heap"
    heap.mkdir()
    for name in ("mnist", "usps"):
        for file in sorted((origin / name / "train").rglob("*.*")):
            shutil.copyfile(file, heap / f"{name}-{file.parent.name}-{file.name}")
    return {
        "task": "image-classification",
        "source": "bundled/studio-small",
        "options": {"image_size": 32, "augmentation": "no-flip"},
        "data": {"path": str(folder / "few"), "unlabelled": str(heap)},
        "strategy_options": {"start": "random"},
    }


def place(folder: Path, files: list[Path]) -> None:
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)


def texts(assets: Path, folder: Path, each: int) -> dict:
    """A few labelled texts, the whole test set, and all training texts without their labels."""
    origin, rng = assets / "data" / "banking77", np.random.default_rng(0)
    with (origin / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text, label = list(rows[0])[:2]
    few: list[dict] = []
    for name in sorted({row[label] for row in rows}):
        of_label = [row for row in rows if row[label] == name]
        few += [of_label[at] for at in rng.permutation(len(of_label))[:each]]
    (folder / "few").mkdir()
    for name, chosen in (("train", few), ("test", None)):
        with (folder / "few" / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            if chosen is None:
                with (origin / "test.csv").open(newline="", encoding="utf-8") as given:
                    chosen = list(csv.DictReader(given))
            writer.writerows((row[text], row[label]) for row in chosen)
    (folder / "texts.txt").write_text("\n".join(" ".join(row[text].split()) for row in rows), encoding="utf-8")
    return {
        "task": "text-classification",
        "source": "bundled/minilm-l6",
        "data": {"path": str(folder / "few"), "unlabelled": str(folder / "texts.txt")},
        "strategy_options": {},
    }


MAKE = {"pictures": pictures, "digits": digits, "texts": texts}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--only", choices=tuple(MAKE))
    ask.add_argument("--epochs", type=int, help="of pre-training")
    ask.add_argument("--each", type=int, help="labels a class")
    ask.add_argument("--side", type=int, help="of the pictures, in pixels")
    ask.add_argument("--work", type=Path, help="a new folder, kept afterwards; without it one that is deleted")
    asked = ask.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the data of this benchmark are not here")
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        for name, make in MAKE.items():
            if asked.only in (None, name):
                folder = (asked.work or Path(scratch)) / name
                folder.mkdir(parents=True)
                spec = make(assets, folder, asked.each or EACH[name])
                spec["strategy_options"] |= {"epochs": asked.epochs or EPOCHS[name]}
                if asked.side and name != "texts":
                    spec["options"]["image_size"] = asked.side
                spec |= {"name": f"pre-training, {name}", "strategy": "pre-training-then-fine-tuning", "seeds": 3}
                print(f"{name}: {said(run(folder, spec))}", flush=True)


def run(folder: Path, spec: dict) -> dict:
    """One run of the command line; its report."""
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    command = [
        sys.executable,
        "-m",
        "tlcore",
        "run",
        str(folder / "spec.yaml"),
        "--json",
        "--workspace",
        str(folder / "workspace"),
    ]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def said(report: dict) -> str:
    once = report["pre_training"]
    arms = [("pre-trained", report["transfer"]), ("from scratch", report["baseline"])]
    if report.get("plainer"):
        arms.append(("the source without pre-training", report["plainer"]))
    scores = ", ".join(
        f"{title} {arm['value']:.3f} [{arm['interval'][0]:.3f}, {arm['interval'][1]:.3f}]" for title, arm in arms
    )
    against = [("scratch", report["difference"]), ("the source", (report.get("plainer") or {}).get("difference"))]
    differences = ", ".join(
        f"minus {title} {found['value']:+.3f} [{found['interval'][0]:+.3f}, {found['interval'][1]:+.3f}]"
        for title, found in against
        if found
    )
    n = report["dataset"]["n"]
    return (
        f"{scores}; {differences}; {report['verdict']} (accuracy, n_test = {report['n_test']}, n_train = {n['train']}, "
        f"{report['seeds']} seeds; {once['objective']} from {once['start']} on {once['examples']} examples, "
        f"{once['left_out']} left out, {once['epochs']} epochs, loss {once['losses'][0]:.3f} to "
        f"{once['losses'][-1]:.3f}, {once['seconds']:.0f} s)"
    )


if __name__ == "__main__":
    main()
