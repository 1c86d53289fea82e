"""Two real label columns learned together and alone: the object (7 classes) and the domain (photo or painting).

    TLCORE_ASSETS=… python benchmarks/multi_task.py [--weighting uniform|uncertainty|gradnorm] [--size 64] [--epochs 12]

PACS photo and art painting in one table, their own training and test pictures, one `tlcore run` with the bundled source
model: multi-task learning beside each task learned alone from the same source. Prints the report's rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tlcore.core.i18n import Sentence


def table(assets: Path, folder: Path) -> Path:
    """The pictures of both domains beside a table with object, domain and split."""
    rows = []
    for domain in ("photo", "art_painting"):
        for split in ("train", "test"):
            for picture in sorted((assets / "data/pacs_photo_art" / domain / split).glob("*/*")):
                name = f"{domain}-{split}-{picture.parent.name}-{picture.name}"
                shutil.copyfile(picture, folder / name)
                rows.append([name, picture.parent.name, domain, split])
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "label", "domain", "split"], *rows])
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weighting", default="uniform", choices=("uniform", "uncertainty", "gradnorm"))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the pictures of this benchmark are not here")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pacs"
        folder.mkdir()
        spec = {
            "name": "object and domain",
            "task": "image-classification",
            "strategy": "multi-task-learning",
            "data": {"path": str(table(Path(os.environ["TLCORE_ASSETS"]), folder)), "columns": {"also": "domain"}},
            "source": "bundled/studio-small",
            "strategy_options": {"weighting": result.weighting},
            "seeds": 3,
            "budget": {"epochs": result.epochs},
            "options": {"image_size": result.size, "learning_rate": 0.002},
        }
        path = Path(place) / "spec.yaml"
        path.write_text(yaml.safe_dump(spec))
        command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(Path(place) / "w")]
        report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    for row in report["tasks"]:
        cells = [
            f"{row[arm]['value']:.3f} {[round(end, 3) for end in row[arm]['interval']]}"
            for arm in ("together", "alone")
        ]
        apart = row["difference"]
        print(
            f"{words(row['title'])} (n = {row['n']}): together {cells[0]}, alone {cells[1]}, difference "
            f"{apart['value']:+.3f} {[round(end, 3) for end in apart['interval']]}, {row['change']}"
        )
    print(words(report["sentences"]["tasks"]))


def words(result: dict | str) -> str:
    return result if isinstance(result, str) else str(Sentence.model_validate(result))


if __name__ == "__main__":
    main()
