"""A small real run made by hand, for the tests of reports and bundles: drawn pictures, tiny networks, solved heads."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tlcore import tasks
from tlcore.core.i18n import sentence
from tlcore.data.dataset import SPLITS, Dataset, DatasetInfo, fingerprint
from tlcore.models.loading import OpenSource, open_folder
from tlcore.models.source_model import SourceModel
from tlcore.report.context import RunContext
from tlcore.spec import Spec
from tlcore.store import Store
from tlcore.training.result import ArmResult

LABELS = ["disc", "=square", "triangle"]
PROCESSOR = {
    "size": 64,
    "canvas": 72,
    "interpolation": "bicubic",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "augmentation": "standard",
}


@functools.cache
def finished(library: str = "timm") -> RunContext:
    """A trained run before its report; made once for each kind of source."""
    home = Path(tempfile.mkdtemp(prefix="report-run-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    store = Store.open(home)
    dataset = _dataset(home, store)
    source = _source(home / "source", library)
    spec = Spec(name="shapes <1>", task="image-classification", data={"dataset": dataset.fingerprint}, seeds=3)
    run = store.runs.create(spec, "local")
    store.runs.set(run.id, dataset=dataset.fingerprint)
    dataset = Dataset.open(store, dataset.fingerprint, "local")
    task, target = tasks.find(spec.task), {"labels": sorted(LABELS)}
    examples = task.examples(dataset, PROCESSOR, target, None)
    folder = store.runs.folder(run.id)
    arms = {
        arm: [_train(store, run.id, folder, arm, seed, source, examples, task, target) for seed in range(3)]
        for arm in ("transfer", "twin")
    }
    return RunContext(
        store=store,
        run_id=run.id,
        folder=folder,
        spec=spec,
        requested_strategy="auto",
        task=task,
        dataset=dataset,
        source=source,
        target=target,
        processor=PROCESSOR,
        arms=arms,
        plan={"strategy": "feature-extraction", "seeds": 3},
    )


def drawing(kind: str, rng: np.random.Generator) -> Image.Image:
    """A bright shape, mostly in its kind's own colour, somewhere on a dark picture of uneven sides."""
    wide, high = (int(side) for side in rng.integers(70, 130, 2))
    image = Image.fromarray(rng.integers(0, 90, (high, wide, 3), dtype=np.uint8))
    pen, edge = ImageDraw.Draw(image), int(rng.integers(28, 48))
    left, top = int(rng.integers(4, wide - edge - 4)), int(rng.integers(4, high - edge - 4))
    box = (left, top, left + edge, top + edge)
    bright = LABELS.index(kind)
    colour = tuple(int(c) for c in rng.integers(60, 120, 3) + 135 * (np.arange(3) == bright))
    if kind == "disc":
        pen.ellipse(box, fill=colour)
    elif kind == "=square":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(left, top + edge), (left + edge, top + edge), (left + edge // 2, top)], fill=colour)
    return image


def _dataset(home: Path, store: Store) -> Dataset:
    rng = np.random.default_rng(3)
    draft, rows = home / "draft", []
    (draft / "files").mkdir(parents=True)
    for i in range(72):
        label, split = LABELS[i % 3], ("train", "train", "validation", "test")[i // 3 % 4]
        path = draft / "files" / f"{i:03d}{('.png', '.jpg')[i % 2]}"
        image, exif = drawing(label, rng), Image.Exif()
        if i % 5 == 0:
            exif[0x0112] = 6  # a phone held upright
        image.save(path, exif=exif) if path.suffix == ".jpg" else image.save(path)
        rows.append(
            {
                "id": f"{label}/{path.name}",
                "file": path.name,
                "label": label,
                "split": split,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "width": image.width,
                "height": image.height,
            }
        )
    frame = pd.DataFrame(rows)
    mark = fingerprint("image-classification", frame)
    frame.to_parquet(draft / "rows.parquet")
    info = DatasetInfo(
        fingerprint=mark,
        task="image-classification",
        name="shapes",
        origin="shapes.zip",
        labels=LABELS,
        n={"train": 36, "validation": 18, "test": 18},
        split_said=sentence("Cut by hand."),
    )
    (draft / "dataset.json").write_text(info.model_dump_json())
    draft.rename(home / "datasets" / mark)
    store.datasets.add(info, "local")
    return Dataset(home / "datasets" / mark)


def _source(folder: Path, library: str) -> OpenSource:
    import torch

    torch.manual_seed(0)
    folder.mkdir()
    if library == "timm":
        import timm
        from safetensors.torch import save_file

        net = timm.create_model("test_resnet", pretrained=False, num_classes=10)
        result = {
            "architecture": "test_resnet",
            "num_classes": 10,
            "num_features": net.num_features,
            "pretrained_cfg": {**net.pretrained_cfg, "input_size": [3, 64, 64], "crop_pct": 64 / 72},
        }
        (folder / "config.json").write_text(json.dumps(result, default=str))
        save_file(net.state_dict(), folder / "model.safetensors")
    else:
        from transformers import ViTConfig, ViTForImageClassification

        net = ViTForImageClassification(
            ViTConfig(
                hidden_size=48,
                num_hidden_layers=3,
                num_attention_heads=3,
                intermediate_size=96,
                image_size=64,
                patch_size=16,
                num_labels=10,
            )
        )
        net.save_pretrained(folder)
    return open_folder(
        folder,
        SourceModel(
            id=f"test/{library}",
            title=f"Tiny {library}",
            provider="tests",
            hub_id=None,
            revision=None,
            architecture=library,
            parameters=1000,
            megabytes=1.0,
            source_task=sentence("nothing"),
            source_data=sentence("nothing"),
            licence="Apache-2.0",
            input_size=64,
        ),
    )


def _train(store, run_id, folder, arm, seed, source, examples, task, target) -> ArmResult:  # type: ignore[no-untyped-def]
    """A head solved on four fifths of the training pictures (each seed's own), or for the twin left as it was drawn.

    Outputs are those of the saved and reloaded weights.
    """
    import torch

    torch.set_num_threads(1)
    model = source.build(len(target["labels"]), True, seed=seed).eval()
    if arm == "transfer":
        rng = np.random.default_rng(seed)
        batches = {name: _whole(examples[name]) for name in SPLITS[:2]}
        with torch.inference_mode():
            features = {name: model.features(batch["pixels"]).numpy() for name, batch in batches.items()}
        kept = rng.permutation(len(examples["train"]))[:29]
        rows = {
            "train": SimpleNamespace(labels=examples["train"].labels[kept]),
            "validation": examples["validation"],
        }
        head = task.solve({**features, "train": features["train"][kept]}, rows, target)
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(head["weight"]))
            model.head.bias.copy_(torch.from_numpy(head["bias"]))
    store.runs.add_points(
        [
            {
                "run_id": run_id,
                "arm": arm,
                "seed": seed,
                "trial": "final",
                "phase": 0,
                "epoch": step,
                "seconds": 0.5 * step,
                "values": {"train_loss": 1 / step, "validation_accuracy": 0.3 + step / 40},
            }
            for step in (1, 2, 3)
        ]
    )
    own = folder / "arms" / arm / f"seed-{seed}"
    model.save(
        own / "weights",
        target["labels"],
        {
            "input_size": 64,
            "mean": PROCESSOR["mean"],
            "std": PROCESSOR["std"],
            "interpolation": "bicubic",
            "crop_pct": 64 / 72,
        },
    )
    reloaded = open_folder(own / "weights", source.source).build(None, True).eval()
    scores = {}
    with torch.inference_mode():
        for split in SPLITS:
            out = reloaded(_whole(examples[split])["pixels"]).numpy()
            np.save(own / f"outputs-{split}.npy", out)
            scores[split] = {"accuracy": float((out.argmax(1) == examples[split].labels).mean())}
    result = ArmResult(
        arm=arm,
        seed=seed,
        folder=own,
        seconds=1.2,
        seconds_search=0.1 if seed == 0 else 0.0,
        epochs=None if arm == "transfer" else 3,
        best_epoch=None,
        learning_rate=None,
        validation=scores["validation"],
        train=scores["train"],
        batch_size=36,
        accumulation=1,
        peak_memory=10_000_000,
        device="cpu",
        examples_per_second=100.0,
    )
    result.save()
    return result


def _whole(examples):
    """A split as one batch."""
    return next(examples.batches([np.arange(len(examples))], None, "cpu"))
