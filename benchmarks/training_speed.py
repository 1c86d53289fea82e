"""Speed of training, side by side in one run: our feature extraction and fine-tuning against plain PyTorch.

    python benchmarks/training_speed.py [--size 224] [--only frozen|tuning]

Real photos (flowers5 and both domains of pacs_photo_art, n = 1,328) and MobileNetV2 from the folder that TLCORE_ASSETS
names. Decoding is included on both sides, in the same dtype (float32 for frozen features, bfloat16 autocast for
fine-tuning where the processor has it) and memory layout (channels-last).
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from tlcore import data, tasks
from tlcore.core import machine
from tlcore.core.spec_parts import Data, Options
from tlcore.models import open_source
from tlcore.store import Store
from tlcore.strategies.contract import PlanContext, train_phase
from tlcore.tasks.shared import augmentation
from tlcore.training import features, loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.phase import Training

TASK = tasks.find("image-classification")


def gather(assets: Path, folder: Path) -> Path:
    """One folder per class out of flowers5 and pacs, by copy."""
    for root, name in (
        (assets / "data/flowers5", "flower"),
        (assets / "data/pacs_photo_art/photo", "photo"),
        (assets / "data/pacs_photo_art/art_painting", "art"),
    ):
        for split in ("train", "test"):
            for picture in sorted((root / split).glob("*/*")):
                kind = f"{name}-{picture.parent.name}"
                (folder / kind).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture, folder / kind / f"{split}-{picture.name}")
    return folder


class Files(torch.utils.data.Dataset):
    """What a tutorial would write: open, resize, crop, normalise, one picture at a time."""

    def __init__(self, examples, canvases, processor):
        self.files = [canvases.files[row] for row in examples.rows]
        self.labels = examples.labels
        self.to = v2.Compose(
            [
                v2.Resize(processor["canvas"], interpolation=v2.InterpolationMode.BICUBIC, antialias=True),
                v2.CenterCrop(processor["size"]),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(processor["mean"], processor["std"]),
            ]
        )

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.to(Image.open(self.files[index]).convert("RGB")), int(self.labels[index])


def frozen(dataset, source, target, size: int, folder: Path) -> None:
    """One bare pass, our extraction with head search, and twenty epochs of a head on a re-run frozen backbone."""
    processor = TASK.processor(source.preprocess, Options(image_size=size), dataset, "cpu")
    examples = TASK.examples(dataset, processor, target, folder / "pictures")
    model = TASK.model(source, target, True, size=size, seed=0).eval().to(memory_format=torch.channels_last)
    canvases = examples["train"].canvases
    plain = {split: DataLoader(Files(these, canvases, processor), batch_size=32) for split, these in examples.items()}
    n = sum(map(len, examples.values()))

    def bare() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for loader in plain.values():
                for pixels, _ in loader:
                    model.features(pixels.contiguous(memory_format=torch.channels_last))
        return time.perf_counter() - started

    def ours(turn: int) -> tuple[float, float]:
        fresh = TASK.examples(dataset, processor, target, folder / f"pictures-{turn}")
        started = time.perf_counter()
        kept, _ = features.extract(TASK, model, fresh, folder / "features", f"turn-{turn}", device="cpu", batch_size=32)
        head = TASK.solve(kept, fresh, target)
        seconds = time.perf_counter() - started
        out = kept["test"] @ head["weight"].T + head["bias"]
        return seconds, float((out.argmax(1) == fresh["test"].labels).mean())

    import sklearn.linear_model  # noqa: F401

    passes, turns = [], []
    for turn in range(3):
        passes.append(bare())
        turns.append(ours(turn))
    mine, once = statistics.median(seconds for seconds, _ in turns), statistics.median(passes)
    print(
        f"n = {n}, {size} px: bare pass {once:.1f} s, ours with head search {mine:.1f} s, ratio {mine / once:.2f}"
        f" (medians of 3 alternating runs)"
    )

    head = torch.nn.Linear(model.head.in_features, len(target["labels"]))
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3)
    shuffled = DataLoader(plain["train"].dataset, batch_size=32, shuffle=True)
    started = time.perf_counter()
    for _ in range(20):
        for pixels, labels in shuffled:
            with torch.no_grad():
                seen = model.features(pixels.contiguous(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(head(seen), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - started
    hits = []
    with torch.inference_mode():
        for pixels, labels in plain["test"]:
            hits.append(head(model.features(pixels)).argmax(1) == labels)
    accuracy = float(torch.cat(hits).float().mean())
    print(
        f"20 epochs that re-run the frozen backbone: {seconds:.0f} s, test accuracy {accuracy:.3f}; ours {mine:.1f} "
        f"s, {turns[0][1]:.3f}: {seconds / mine:.1f} times less time (n_test = {len(examples['test'])})"
    )


def tuning(dataset, source, target, size: int, folder: Path, steps: int = 210, batch: int = 32) -> None:
    """Images a second of our loop's steps against a bare loop with the same network, augmentation and optimizer."""
    processor = TASK.processor(source.preprocess, Options(image_size=size), dataset, "cpu")
    examples = TASK.examples(dataset, processor, target, folder / "pictures-tuning")
    here = machine.detect()
    per_epoch = len(examples["train"]) // batch
    epochs = -(-steps // per_epoch)
    context = PlanContext(len(examples["train"]), size, 3_500_000, "cpu", epochs, batch, 1e-3)

    def ours() -> float:
        stamps: list[list[float]] = [[]]
        model = TASK.model(source, target, True, size=size, seed=0)
        loop.train(
            Training(
                task=TASK,
                model=model,
                examples=examples,
                target=target,
                phase=train_phase(context, layer_decay=0.75),
                rate=4e-4,
                epochs=epochs,
                patience=None,
                seed=0,
                batch_size=batch,
                accumulation=1,
                machine=here,
                checkpoint=Checkpoint(folder / "speed.pt", 1e9),
                metric=TASK.metrics[0],
                on_step=lambda n: stamps[-1].append(time.perf_counter()),
                on_epoch=lambda **values: stamps.append([]),
            )
        )
        taken = [b - a for epoch in stamps for a, b in itertools.pairwise(epoch)]
        return batch * len(taken) / sum(taken)

    def bare() -> float:
        model = TASK.model(source, target, True, size=size, seed=0).to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=4e-4, weight_decay=0.05)
        these, taken = examples["train"], []
        for epoch in range(epochs):
            order = np.random.default_rng(epoch).permutation(len(these))
            last = None
            for at in range(per_epoch):
                rows = these.rows[order[at * batch : (at + 1) * batch]]
                whole = torch.from_numpy(these.canvases.get(rows)).permute(0, 3, 1, 2).float() / 255
                numbers = augmentation.uniform(0, epoch, rows)
                pixels = augmentation.normalise(augmentation.augment(whole, size, numbers, True), processor)
                labels = torch.from_numpy(these.labels[order[at * batch : (at + 1) * batch]])
                with torch.autocast("cpu", torch.bfloat16, enabled=here.bf16):
                    out = model(pixels.contiguous(memory_format=torch.channels_last))
                    loss = torch.nn.functional.cross_entropy(out.float(), labels)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                now = time.perf_counter()
                if last is not None:
                    taken.append(now - last)
                last = now
        return batch * len(taken) / sum(taken)

    pairs = [(ours(), bare()) for _ in range(5)]
    mine, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"fine-tuning at {size} px, batch {batch}, {epochs * per_epoch} steps: ours {mine:.1f} images/s, bare loop "
        f"{plain:.1f}, ratio {mine / plain:.2f} (medians of 5 alternating runs)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--tuning-size", type=int, default=96)
    parser.add_argument("--only", choices=("frozen", "tuning"))
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the photos and weights of this benchmark are not here")
    assets = Path(os.environ["TLCORE_ASSETS"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.open(folder / "workspace")
        photos = gather(assets, folder / "photos")
        dataset = data.read(Data(path=str(photos)), task=TASK, store=store, owner="local")
        source = open_source(str(assets / "models/mobilenetv2_100_in1k"), store)
        target = TASK.fit_target(dataset)
        print(machine.detect().description, torch.__version__, dataset.info.n)
        if result.only != "tuning":
            frozen(dataset, source, target, result.size, folder)
        if result.only != "frozen":
            tuning(dataset, source, target, result.tuning_size, folder)


if __name__ == "__main__":
    main()
