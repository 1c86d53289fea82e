"""What the bundled image source model is worth on picture sets it never saw.

For every set and picture size: a logistic regression on the frozen features of the bundled model, and its
from-scratch twin (the same architecture, random weights, trained end to end on the same pictures), both
fitted on train/ and scored once on test/. Everything that is chosen (regularisation, the twin's learning
rate) is chosen on cuts of train/. The teacher's features at 224 px are the upper reference.

    python benchmarks/bundled_model/evaluate.py [--px 64 96 128] [--model FOLDER] [--json OUT.json]
    python benchmarks/bundled_model/evaluate.py --choose --model FOLDER     # on cuts of train/ only

Sets and teacher are found under $TLCORE_ASSETS (data/, models/) unless named.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# name -> folder that holds train/ and test/
SETS = {
    "hymenoptera": "hymenoptera",
    "flowers5": "flowers5",
    "covid_xray": "covid_xray",
    "pacs photo": "pacs_photo_art/photo",
    "pacs art": "pacs_photo_art/art_painting",
    "cifar10 (in the pool)": "cifar10",
}
SUFFIXES = {".jpg", ".jpeg", ".png"}
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
RATES = (3e-4, 1e-3, 3e-3)
BUNDLED = Path(__file__).parents[2] / "tlcore" / "models" / "bundled" / "studio-small"


def read(folder: Path, px: int) -> tuple[torch.Tensor, np.ndarray]:
    """uint8 [n, 3, px, px]: shorter side to px, centre crop; labels by the order of the folder names."""
    pictures, labels = [], []
    for label, name in enumerate(sorted(p.name for p in folder.iterdir() if p.is_dir())):
        for path in sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES):
            picture = Image.open(path).convert("RGB")
            scale = px / min(picture.size)
            size = [max(px, round(side * scale)) for side in picture.size]
            left, top = (size[0] - px) // 2, (size[1] - px) // 2
            picture = picture.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + px, top + px))
            pictures.append(np.asarray(picture).transpose(2, 0, 1))
            labels.append(label)
    return torch.from_numpy(np.stack(pictures)), np.array(labels)


def scaled(x: torch.Tensor) -> torch.Tensor:
    """To [-1, 1], as both the bundled model and its teacher take pictures."""
    return (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def features(model: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    model.eval()
    return torch.cat([model(scaled(part)) for part in x.split(64)]).numpy()


def classifier(strength: float):
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def cut_score(x: np.ndarray, y: np.ndarray, strength: float, cuts) -> float:
    return float(np.mean([classifier(strength).fit(x[a], y[a]).score(x[b], y[b]) for a, b in cuts]))


def best_strength(x: np.ndarray, y: np.ndarray) -> float:
    cuts = list(StratifiedKFold(4, shuffle=True, random_state=0).split(x, y))
    return max(STRENGTHS, key=lambda strength: cut_score(x, y, strength, cuts))


def probe(model, train, test) -> np.ndarray:
    """Right (1) or wrong (0) for every test picture."""
    x, y = features(model, train[0]), train[1]
    fitted = classifier(best_strength(x, y)).fit(x, y)
    return (fitted.predict(features(model, test[0])) == test[1]).astype(float)


def from_scratch(fresh, train, test, lr: float, epochs: int, seed: int) -> np.ndarray:
    """Train a fresh network end to end (crops, mirror, AdamW, cosine); right or wrong by test picture."""
    torch.manual_seed(seed)
    model = fresh(int(train[1].max()) + 1).to(memory_format=torch.channels_last)
    x, y = train[0], torch.from_numpy(train[1])
    n, px, size = len(x), x.shape[-1], 32
    steps = epochs * (n // size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(n)
        for batch in order[: n // size * size].split(size):
            zoom = torch.rand(size) * 0.4 + 0.6
            mirror = torch.where(torch.rand(size) < 0.5, -1.0, 1.0)
            theta = torch.zeros(size, 2, 3)
            theta[:, 0, 0], theta[:, 1, 1] = zoom * mirror, zoom
            theta[:, :, 2] = (torch.rand(size, 2) * 2 - 1) * (1 - zoom).view(-1, 1)
            grid = F.affine_grid(theta, (size, 3, px, px), align_corners=False)
            crop = F.grid_sample(scaled(x[batch]), grid, align_corners=False)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(crop.contiguous(memory_format=torch.channels_last))
            F.cross_entropy(logits.float(), y[batch]).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return (features(model, test[0]).argmax(1) == test[1]).astype(float)


def twin(fresh, train, test, epochs: int, seeds: int) -> np.ndarray:
    """[seeds, n_test]; of RATES the best on a quarter of train/, in two thirds of the epochs."""
    a, b = next(StratifiedShuffleSplit(1, test_size=0.25, random_state=0).split(*train))
    fit, check = (train[0][a], train[1][a]), (train[0][b], train[1][b])
    lr = max(RATES, key=lambda rate: from_scratch(fresh, fit, check, rate, epochs * 2 // 3, 0).mean())
    return np.stack([from_scratch(fresh, train, test, lr, epochs, seed) for seed in range(seeds)])


def interval(scores: np.ndarray) -> tuple[float, float, float]:
    """Mean of [seeds, n] with a 95% bootstrap over the seeds and the test pictures, in points."""
    rng = np.random.default_rng(0)
    seeds, n = scores.shape
    draws = [scores[rng.integers(seeds, size=seeds)][:, rng.integers(n, size=n)].mean() for _ in range(2000)]
    return (100 * scores.mean(), *(100 * np.quantile(draws, [0.025, 0.975])))


def words(scores: np.ndarray) -> str:
    mean, low, high = interval(scores)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def choose(model, data: Path, sizes: list[int]) -> None:
    """Mean score on 5 cuts of train/ (70 : 30), for comparing recipes without touching test/."""
    overall = []
    for name, folder in SETS.items():
        if "pool" in name:
            continue
        row = []
        for px in sizes:
            images, y = read(data / folder / "train", px)
            x = features(model, images)
            cuts = list(StratifiedShuffleSplit(5, test_size=0.3, random_state=1).split(x, y))
            row.append(100 * max(cut_score(x, y, strength, cuts) for strength in STRENGTHS[1:6:2]))
        overall.append(row)
        scores = "  ".join(f"{px} px {score:5.1f}" for px, score in zip(sizes, row, strict=True))
        print(f"{name:22s} {scores}", flush=True)
    print(f"{'mean':22s} {np.mean(overall):.2f}, by size {np.mean(overall, 0).round(2)}")


def table(args: argparse.Namespace, model, config: dict) -> None:
    def fresh(classes: int):
        return timm.create_model(config["architecture"], num_classes=classes, **config.get("model_args", {}))

    teacher = timm.create_model(f"local-dir:{args.teacher}", pretrained=True, num_classes=0)
    print("| set | n train | n test | px | bundled, frozen | from scratch | difference | teacher, 224 px |")
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    for name, folder in SETS.items():
        if name not in (args.sets or [name for name in SETS if "pool" not in name]):
            continue
        reference = [read(args.data / folder / part, 224) for part in ("train", "test")]
        upper = probe(teacher, *reference)[None]
        for px in args.px:
            train, test = (read(args.data / folder / part, px) for part in ("train", "test"))
            ours = probe(model, train, test)[None]
            cells = [name, str(len(train[1])), str(len(test[1])), str(px), words(ours), "", "", words(upper)]
            row = {"set": name, "px": px, "n_test": len(test[1]), "bundled": ours.mean(), "teacher": upper.mean()}
            if args.seeds:
                kept = args.twins and args.twins / f"{folder.replace('/', '-')}-{px}.npy"
                if kept and kept.exists():
                    scratch = np.load(kept)
                else:
                    scratch = twin(fresh, train, test, args.epochs, args.seeds)
                    if kept:
                        np.save(kept, scratch)
                cells[5:7] = words(scratch), words(ours - scratch)
                row["scratch"] = scratch.mean()
            rows.append(row)
            print(f"| {' | '.join(cells)} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


def main() -> None:
    assets = Path(os.environ.get("TLCORE_ASSETS", "assets"))
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--model", type=Path, default=BUNDLED)
    ask.add_argument("--teacher", type=Path, default=assets / "models" / "mobilenetv2_100_in1k")
    ask.add_argument("--data", type=Path, default=assets / "data")
    ask.add_argument("--px", type=int, nargs="+", default=[64, 96, 128])
    ask.add_argument("--sets", nargs="+", help="of " + ", ".join(SETS))
    ask.add_argument("--epochs", type=int, default=45, help="of the from-scratch twin")
    ask.add_argument("--seeds", type=int, default=3, help="of the from-scratch twin; 0: no twin")
    ask.add_argument("--twins", type=Path, help="existing folder that keeps the twins' answers between calls")
    ask.add_argument("--choose", action="store_true", help="scores on cuts of train/ only")
    ask.add_argument("--json", type=Path, help="write the table here too")
    ask.add_argument("--threads", type=int, default=2)
    args = ask.parse_args()
    torch.set_num_threads(args.threads)
    model = timm.create_model(f"local-dir:{args.model}", pretrained=True, num_classes=0)
    model = model.to(memory_format=torch.channels_last)
    if args.choose:
        choose(model, args.data, args.px)
    else:
        table(args, model, json.loads((args.model / "config.json").read_text()))


if __name__ == "__main__":
    main()
