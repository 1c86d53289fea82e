"""Domain adaptation: every method against source-only on pairs of real domains, chosen without target labels.

    python benchmarks/domain_adaptation.py --work FOLDER [--pairs art-photo …] [--methods mcc …] [--seeds 3]

Photos and paintings (PACS), MNIST and USPS come from the folder that TLCORE_ASSETS names, MobileNetV2 as well; the pair
fonts-digits is drawn here, from the TrueType fonts of the machine, and its target is scikit-learn's handwritten digits.
Each row is one `tlcore run` without a twin: labelled source training data, target training data without labels, and the
target's test data for the score alone. Finished rows are kept in FOLDER, so that a second call goes on where the first
one stopped. *Chosen* is the method whose choice score (source validation plus information in the target's answers, mean
over seeds) is the highest; target labels play no part in it. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

PAIRS = {
    "photo-art": ("pacs_photo_art/photo", "pacs_photo_art/art_painting"),
    "art-photo": ("pacs_photo_art/art_painting", "pacs_photo_art/photo"),
    "mnist-usps": ("digits_mnist_usps/mnist", "digits_mnist_usps/usps"),
    "usps-mnist": ("digits_mnist_usps/usps", "digits_mnist_usps/mnist"),
    "fonts-digits": None,
}
DIGITS = ("mnist-usps", "usps-mnist", "fonts-digits")  # a mirrored digit is another picture, or none
METHODS = ("source-only", "adabn", "coral", "dan", "dann", "cdan", "mcc", "mean-teacher")
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")  # fontconfig's usual folders
SIDE, DRAWN, TESTED = 32, 1_500, 500  # pixels; drawn digits, about; handwritten digits to test on


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--work", type=Path, required=True, help="a folder that keeps what was run")
    ask.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=PAIRS)
    ask.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    ask.add_argument("--epochs", type=int, default=12)
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--size", type=int, default=128)
    ask.add_argument("--rate", type=float, help="Learning rate (else searched).")
    result = ask.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the pictures and weights of this benchmark are not here")
    assets, result.work = Path(os.environ["TLCORE_ASSETS"]).resolve(), result.work.resolve()
    result.work.mkdir(parents=True, exist_ok=True)
    gains, hurt = [], []
    print("| pair | method | target accuracy | choice | proxy-A before → after | seconds |\n|---|---|--:|--:|--:|--:|")
    for pair in result.pairs:
        rows = {method: run(assets, pair, method, result) for method in result.methods}
        chosen = max(rows, key=lambda method: rows[method]["choice"])
        for method, row in rows.items():
            mark = " **chosen**" if method == chosen else ""
            low, high = row["interval"]
            print(
                f"| {pair} (n = {row['n']}) | {method} | {row['value']:.3f} [{low:.3f}, {high:.3f}] | "
                f"{row['choice']:.3f}{mark} | {row['before']:.2f} → {row['after']:.2f} | {row['seconds']:.0f} |",
                flush=True,
            )
        if "source-only" in rows:
            over = {method: 100 * (row["value"] - rows["source-only"]["value"]) for method, row in rows.items()}
            gains.append(over[chosen])
            hurt += [f"{method} on {pair} ({gain:+.1f})" for method, gain in over.items() if gain < 0]
    if (fonts := result.work / "data" / "fonts-digits" / "fonts.txt").exists():
        print(f"\nfonts-digits was drawn from the {len(fonts.read_text().splitlines())} fonts of fonts.txt beside it.")
    if gains:
        print(
            f"\nChosen minus source-only, {result.seeds} seeds, mean over {len(gains)} pairs: {np.mean(gains):+.1f} "
            f"points ({', '.join(f'{pair} {gain:+.1f}' for pair, gain in zip(result.pairs, gains, strict=True))}).\n"
            f"Worse than source-only, in points: {', '.join(hurt) or 'none'}."
        )


def run(assets: Path, pair: str, method: str, args: argparse.Namespace) -> dict:
    """One row, from its file or by one run of the command line: the score on the target's test data, and what the
    choice without labels saw."""
    name = f"{pair}-{method}-{args.epochs}-{args.seeds}-{args.size}-{args.rate or 'searched'}"
    kept = args.work / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    print(f"{pair}: {method}", file=sys.stderr, flush=True)
    source, target = drawn(args.work) if pair == "fonts-digits" else (assets / "data" / one for one in PAIRS[pair])
    spec = {
        "name": f"{pair} {method}",
        "task": "image-classification",
        "data": {"path": str(source), "unlabelled": str(target / "train"), "extra": str(target / "test")},
        "source": str(assets / "models/mobilenetv2_100_in1k"),
        "strategy": "domain-adaptation",
        "strategy_options": {"method": method},
        "baseline": "none",
        "seeds": args.seeds,
        "budget": {"epochs": args.epochs},
        "options": {"image_size": args.size, "learning_rate": args.rate or "auto"}
        | ({"augmentation": "no-flip"} if pair in DIGITS else {}),
    }
    path = args.work / f"{name}.yaml"
    path.write_text(yaml.safe_dump(spec))
    workspace = args.work / "home"
    command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", str(workspace)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    report = json.loads(done.stdout)
    results = sorted((Path(report["bundle"]).parent / "arms/transfer").glob("seed-*/result.json"))
    seen = [json.loads(one.read_text())["measured"]["target-choice"] for one in results]
    mean = {one: float(np.mean([each[one] for each in seen])) for one in ("score", "proxy_a_before", "proxy_a_after")}
    row = {
        "value": report["transfer"]["value"],
        "interval": report["transfer"]["interval"],
        "n": report["n_test"],
        "choice": mean["score"],
        "before": mean["proxy_a_before"],
        "after": mean["proxy_a_after"],
        "seconds": report["cost"]["transfer"]["seconds"],
    }
    draft = kept.with_suffix(".tmp")
    draft.write_text(json.dumps(row))
    draft.rename(kept)
    return row


def drawn(work: Path) -> tuple[Path, Path]:
    """Digits drawn from the machine's fonts (a folder a class), and scikit-learn's handwritten ones (train, test)."""
    folder = work / "data" / "fonts-digits"
    if not folder.exists():
        draft = folder.with_name("fonts-digits.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        fonts = usable_fonts()
        if len(fonts) < 2:
            raise SystemExit(f"fonts-digits needs at least 2 TrueType fonts in {', '.join(FONTS)}")
        rng = np.random.default_rng(0)
        for font in fonts:
            for digit in "0123456789":
                for turn in range(max(1, DRAWN // (10 * len(fonts)))):
                    keep(picture(font, digit, rng), draft / "fonts" / digit / f"{font.stem}-{turn}.png")
        write_handwritten(draft / "handwritten")
        (draft / "fonts.txt").write_text("\n".join(map(str, fonts)) + "\n")
        draft.rename(folder)
    return folder / "fonts", folder / "handwritten"


def usable_fonts() -> list[Path]:
    """The TrueType fonts in fontconfig's usual folders whose ten digits are ten different pictures: symbol fonts draw
    the same empty box for each."""
    found = {one.name: one for place in FONTS for one in sorted(Path(place).expanduser().rglob("*.ttf"))}
    still = np.random.default_rng(0)
    usable = []
    for _name, font in sorted(found.items()):
        try:
            looks = {picture(font, digit, still, move=False).tobytes() for digit in "0123456789"}
        except OSError:  # not a font that FreeType can read
            continue
        if len(looks) == 10:
            usable.append(font)
    return usable


def picture(font: Path, digit: str, rng: np.random.Generator, move: bool = True) -> Image.Image:
    """A white digit on black, SIDE px; with ``move`` its size, place and angle are drawn from ``rng``."""
    size, angle, x, y = (rng.integers(20, 29), rng.uniform(-12, 12), *rng.uniform(-2, 2, 2)) if move else (24, 0, 0, 0)
    canvas, shape = Image.new("L", (SIDE, SIDE)), ImageFont.truetype(str(font), int(size))
    ImageDraw.Draw(canvas).text((SIDE / 2 + x, SIDE / 2 + y), digit, fill=255, font=shape, anchor="mm")
    return canvas.rotate(angle, Image.Resampling.BILINEAR)


def write_handwritten(folder: Path) -> None:
    """scikit-learn's 1,797 digits (8 x 8, ink 0 to 16), drawn up to SIDE px, in ``train`` and ``test``."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    places, how = np.arange(len(digits.target)), {"test_size": TESTED, "stratify": digits.target, "random_state": 0}
    tested = set(train_test_split(places, **how)[1].tolist())
    for n, (ink, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        small = Image.fromarray(np.minimum(ink * 16, 255).astype("uint8"))
        part = "test" if n in tested else "train"
        keep(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR), folder / part / str(label) / f"{n:04d}.png")


def keep(one: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    one.convert("RGB").save(path)


if __name__ == "__main__":
    main()
