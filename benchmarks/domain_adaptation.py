"""Domain adaptation: every method against source-only on pairs of real domains, chosen without target labels.

    python benchmarks/domain_adaptation.py [--pairs art-photo …] [--methods mcc …] [--epochs 8] [--seeds 1] [--size 96]

Photos and paintings (PACS), MNIST and USPS come from the folder that TLCORE_ASSETS names, MobileNetV2 as well. Each row
is one `tlcore run` without a twin: labelled source training data, target training data without labels, and the target's
test data for the score alone. *Chosen* is the method whose choice score (source validation plus information in the
target's answers, mean over seeds) is the highest; target labels play no part in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

PAIRS = {
    "photo-art": ("pacs_photo_art/photo", "pacs_photo_art/art_painting"),
    "art-photo": ("pacs_photo_art/art_painting", "pacs_photo_art/photo"),
    "mnist-usps": ("digits_mnist_usps/mnist", "digits_mnist_usps/usps"),
    "usps-mnist": ("digits_mnist_usps/usps", "digits_mnist_usps/mnist"),
}
METHODS = ("source-only", "adabn", "coral", "dan", "dann", "cdan", "mcc", "mean-teacher")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS)
    ask.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    ask.add_argument("--epochs", type=int, default=12)
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--size", type=int, default=128)
    ask.add_argument("--rate", type=float, help="Learning rate (else searched).")
    told = ask.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the pictures and weights of this benchmark are not here")
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    gains = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in told.pairs:
            rows = {method: run(Path(folder), assets, pair, method, told) for method in told.methods}
            chosen = max(rows, key=lambda method: rows[method]["choice"])
            for method, row in rows.items():
                mark = "  <- chosen" if method == chosen else ""
                print(f"{pair:11} {method:13} {row['said']}{mark}", flush=True)
            if "source-only" in rows:
                gains.append(rows[chosen]["value"] - rows["source-only"]["value"])
    if gains:
        print(f"chosen minus source-only, mean over {len(gains)} pairs: {100 * np.mean(gains):+.1f} points")


def run(folder: Path, assets: Path, pair: str, method: str, told: argparse.Namespace) -> dict:
    """One run of the command line: score on the target's test data, and what the choice without labels saw."""
    source, target = (assets / "data" / name for name in PAIRS[pair])
    spec = {
        "name": f"{pair} {method}", "task": "image-classification",
        "data": {"path": str(source), "unlabelled": str(target / "train"), "extra": str(target / "test")},
        "source": str(assets / "models/mobilenetv2_100_in1k"), "strategy": "domain-adaptation",
        "strategy_options": {"method": method}, "baseline": "none", "seeds": told.seeds,
        "budget": {"epochs": told.epochs},
        "options": {"image_size": told.size, "learning_rate": told.rate or "auto"}
        | ({"augmentation": "no-flip"} if "mnist" in pair else {}),
    }  # fmt: skip
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    workspace = folder / "workspace"
    command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    report = json.loads(done.stdout)
    results = sorted((workspace / "runs" / report["run"] / "arms/transfer").glob("seed-*/result.json"))
    seen = [json.loads(one.read_text())["measured"]["target-choice"] for one in results]
    mean = {name: float(np.mean([one[name] for one in seen])) for name in ("score", "proxy_a_before", "proxy_a_after")}
    low, high = report["transfer"]["interval"]
    value, seconds = report["transfer"]["value"], report["cost"]["transfer"]["seconds"]
    said = (
        f"{value:.3f} [{low:.3f}, {high:.3f}] n = {report['n_test']}, {told.seeds} seeds; choice {mean['score']:.3f}; "
        f"proxy-A {mean['proxy_a_before']:.2f} -> {mean['proxy_a_after']:.2f}; {seconds:.0f} s"
    )
    return {"value": value, "choice": mean["score"], "said": said}


if __name__ == "__main__":
    main()
