"""Label savings on real pictures: learning curves of transfer and scratch, and how many labels the one saves.

    python benchmarks/label_savings.py [--only NAME …] [--seeds 3] [--sizes 5] [--image-size 64] [--epochs N]
                                       [--each N] [--workspace DIR]

The sets and MobileNetV2 come from the folder that TLCORE_ASSETS names. Each setting is one `tlcore run` and one
`tlcore savings`; with --workspace what is done stays, and the same command goes on with it. --each takes so many
training pictures of each class, for a short try. Prints the rows of the table in docs/benchmarks.md.
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

import yaml

SETTINGS = {
    "pacs photo": ("data/pacs_photo_art/photo", "models/mobilenetv2_100_in1k", "feature-extraction"),
    "pacs art": ("data/pacs_photo_art/art_painting", "models/mobilenetv2_100_in1k", "linear-probe-then-fine-tune"),
    "hymenoptera": ("data/hymenoptera", "models/mobilenetv2_100_in1k", "feature-extraction"),
    "cifar10": ("data/cifar10", "models/mobilenetv2_100_in1k", "feature-extraction"),
    "cifar10, bundled source": ("data/cifar10", "bundled/studio-small", "feature-extraction"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SETTINGS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--each", type=int)
    parser.add_argument("--workspace", type=Path)
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the pictures and weights of this benchmark are not here")
    assets = Path(os.environ["TLCORE_ASSETS"]).resolve()
    print("| set | strategy | labels | transfer | from scratch | scratch needs | outcome | minutes of training |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        home = (result.workspace or Path(temporary)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        for name in result.only or SETTINGS:
            found = measured(name, result, assets, home)
            print(*rows(name, found), sep="\n", flush=True)
            print(*found["sentences"], sep="\n", file=sys.stderr, flush=True)


def measured(name: str, args: argparse.Namespace, assets: Path, home: Path) -> dict:
    """The label savings of one setting; the run is begun, gone on with or found done."""
    data, source, strategy = SETTINGS[name]
    folder = home / "".join(c if c.isalnum() else "-" for c in name)
    folder.mkdir(exist_ok=True)
    spec = {
        "name": name,
        "task": "image-classification",
        "strategy": strategy,
        "seeds": args.seeds,
        "data": {"path": str(some(assets / data, folder / "few", args.each) if args.each else assets / data)},
        "source": source if source.startswith("bundled/") else str(assets / source),
        "options": {"image_size": args.image_size},
        "budget": {"epochs": args.epochs or "auto"},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    kept = folder / "run.txt"
    workspace = ["--json", "--workspace", str(folder / "workspace")]
    if kept.exists():
        tlcore("resume", kept.read_text(), *workspace)
    else:
        kept.write_text(tlcore("run", str(folder / "spec.yaml"), *workspace)["run"])
    sizes = ["--sizes", str(args.sizes), "--seeds", str(args.seeds)]
    found = tlcore("savings", kept.read_text(), *sizes, *workspace)
    from tlcore.core.i18n import Sentence

    return {
        **found,
        "strategy": strategy,
        "sentences": [str(Sentence.model_validate(one)) for one in found["sentences"].values()],
    }


def some(whole: Path, folder: Path, each: int) -> Path:
    """A copy of the first ``each`` training pictures of each class and half as many of the test."""
    for split, n in (("train", each), ("test", max(2, each // 2))):
        for label in sorted((whole / split).iterdir()):
            into = folder / split / label.name
            into.mkdir(parents=True, exist_ok=True)
            for file in sorted(label.iterdir())[:n]:
                if not (into / file.name).exists():
                    shutil.copyfile(file, into / file.name)
    return folder


def tlcore(*arguments: str) -> dict:
    done = subprocess.run([sys.executable, "-m", "tlcore", *arguments], stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"tlcore {arguments[0]} ended with {done.returncode}: {done.stdout.decode()[-500:]}")
    return json.loads(done.stdout)


def rows(name: str, result: dict) -> list[str]:
    out = []
    for place, one in enumerate(result["sizes"]):
        scores = [result["arms"][arm]["points"][place] for arm in ("transfer", "twin")]
        low, high = one["interval"]
        needed = f"> {result['limit']}" if one["needed"] is None else f"{one['needed']:.0f}"
        end = f"> {result['limit']}" if high is None else f"{high:.0f}"
        cells = [
            name,
            result["strategy"],
            f"{one['labels']:.0f}",
            *(shown(score) for score in scores),
            f"{needed} [{low:.0f}, {end}], {one['reading']}",
            one["outcome"],
            f"{result['seconds'] / 60:.1f}" if one is result["sizes"][-1] else "",
        ]
        out.append("| " + " | ".join(cells) + " |")
    return out


def shown(point: dict) -> str:
    return f"{100 * point['value']:.1f} [{100 * point['interval'][0]:.1f}, {100 * point['interval'][1]:.1f}]"


if __name__ == "__main__":
    main()
