"""Ants and bees: feature extraction and its twin on real photos, with a pretrained and with the bundled source model.

    python benchmarks/ants_and_bees.py [--only pretrained|bundled]

The data (hymenoptera) and MobileNetV2 come from the folder that TLCORE_ASSETS names. Each is one `tlcore run`, 3 seeds.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("pretrained", "bundled"))
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the photos and weights of this benchmark are not here")
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    runs = {
        "pretrained": {"source": str(assets / "models/mobilenetv2_100_in1k"), "options": {"image_size": 224}},
        "bundled": {"source": "bundled/studio-base"},
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, fields in runs.items():
            if result.only in (None, name):
                report = run(Path(folder), {"data": {"path": str(assets / "data/hymenoptera")}, **fields})
                print(f"{name}: {said(report)}", flush=True)


def run(folder: Path, fields: dict) -> dict:
    """One run of the command line; its report."""
    spec = {"name": "ants and bees", "task": "image-classification", "strategy": "feature-extraction", **fields}
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(folder / "workspace")]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def said(report: dict) -> str:
    arms = [
        f"{title} {report[arm]['value']:.3f} [{report[arm]['interval'][0]:.3f}, {report[arm]['interval'][1]:.3f}] in "
        f"{report['cost'][cost]['seconds'] + report['cost'][cost]['seconds_search']:.0f} s"
        for title, arm, cost in (("transfer", "transfer", "transfer"), ("twin", "baseline", "twin"))
    ]
    low, high = report["difference"]["interval"]
    return (
        f"{', '.join(arms)}, difference {report['difference']['value']:+.3f} [{low:+.3f}, {high:+.3f}], "
        f"{report['verdict']} (accuracy, n_test = {report['n_test']}, {report['seeds']} seeds, "
        f"{report['processor']['size']} px)"
    )


if __name__ == "__main__":
    main()
