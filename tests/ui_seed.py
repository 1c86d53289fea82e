"""States of the studio for the tests of the pages, written straight into a store."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tlcore import tasks
from tlcore.core.i18n import sentence
from tlcore.core.spec_parts import Data, Split
from tlcore.data.confirm import confirm
from tlcore.data.dataset import Dataset
from tlcore.data.staging import stage
from tlcore.spec import Spec
from tlcore.store import Store
from tlcore.store.tables import FAILED, SUCCEEDED

LABELS = ("circle", "square")
LONG = "A name that somebody made very long: *stars*, [brackets](x), $maths$ and `code` " + "very " * 20 + "long"
PICTURES = tasks.find("image-classification")


def picture(label: str, number: int, side: int = 40) -> bytes:
    """A drawing of its label; no two are alike."""
    image = Image.new("RGB", (side, side), (40 + 5 * number % 200, 90, 160))
    draw = ImageDraw.Draw(image)
    x, y = 2 + number % 9, 2 + (7 * number) % 11
    box = (x, y, x + 16 + number % 8, y + 16 + (3 * number) % 7)
    draw.ellipse(box, fill="white") if label == "circle" else draw.rectangle(box, fill="white")
    draw.line((0, number % side, side, (11 * number) % side), fill=(200, number * 9 % 255, 30))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pictures_zip(path: Path, each: int = 14, labels: tuple[str, ...] = LABELS) -> Path:
    """A zip of one folder per class, with one file that is no picture."""
    with zipfile.ZipFile(path, "w") as archive:
        for label in labels:
            for number in range(each):
                archive.writestr(f"{label}/{label}_{number:02d}.png", picture(label, number))
        archive.writestr(f"{labels[0]}/broken.png", b"this is no picture")
    return path


def stored(text: str, **params: Any) -> dict[str, Any]:
    """A Sentence as the store keeps it; not one of the studio's own, so the extraction need not find it."""
    return {"text": text, "params": params}


def staged_job(store: Store, project_id: str, folder: Path) -> str:
    """A finished check of an upload, and the draft that points to it."""
    job = store.jobs.submit("check-upload", "local", {"path": "x", "task": PICTURES.id}, project_id=project_id)
    stage(
        pictures_zip(folder / f"{job.id}.zip"),
        task=PICTURES,
        folder=store.jobs.folder(job.id),
    )
    end(store, job.id, SUCCEEDED)
    return job.id


def end(store: Store, job_id: str, state: str, error: dict[str, Any] | None = None) -> None:
    """Bring a queued job to an end, as its child process would."""
    assert store.jobs.take(job_id, "test")
    job = store.jobs.get(job_id)
    assert store.jobs.finish(job_id, job.attempt, state, error=error, output={})


def dataset(store: Store, folder: Path) -> str:
    """A confirmed dataset; gives back its fingerprint."""
    staged = stage(pictures_zip(folder / "pictures.zip"), task=PICTURES, folder=folder / "staged-once")
    made = confirm(staged, store, split=Split(), corrections=None, name="shapes", owner="local")
    return made.fingerprint


def project(store: Store, fingerprint: str | None = None, name: str = "Shapes") -> str:
    draft: dict[str, Any] = {"task": "image-classification", "source": "bundled/studio-small"}
    if fingerprint:
        draft["data"] = {"dataset": fingerprint}
    return store.projects.create(name, "local", draft).id


def run(store: Store, project_id: str, fingerprint: str, name: str = "first", **more: Any) -> str:
    """A queued run."""
    spec = Spec(name=name, task="image-classification", data=Data(dataset=fingerprint), **more)
    made = store.runs.create(spec, "local", project_id)
    store.runs.set(made.id, dataset=fingerprint)
    return made.id


def points(store: Store, run_id: str, epochs: int = 4) -> None:
    for arm, start in (("transfer", 0.6), ("twin", 0.4)):
        store.runs.add_points(
            [
                {
                    "run_id": run_id,
                    "arm": arm,
                    "seed": seed,
                    "trial": "final",
                    "phase": 0,
                    "epoch": epoch,
                    "seconds": float(epoch + 1),
                    "values": {
                        "train_loss": 1 / (epoch + 1),
                        "validation_loss": 1.1 / (epoch + 1),
                        "validation_accuracy": start + 0.08 * epoch + 0.01 * seed,
                    },
                }
                for seed in range(2)
                for epoch in range(epochs)
            ]
        )


def running(store: Store, run_id: str) -> None:
    """A run under way, in its second epoch."""
    assert store.jobs.take(run_id, "test")
    job = store.jobs.get(run_id)
    result = {
        "share": 0.3,
        "sentence": sentence("Training").model_dump(),
        "arm": "transfer",
        "seed": 1,
        "epoch": 1,
        "epochs": 8,
        "examples_per_second": 212.5,
        "seconds_left": 95.0,
        "device": "cpu",
        "memory": 900e6,
    }
    assert store.jobs.beat(run_id, job.attempt, progress=result)
    points(store, run_id, 2)


def failed(store: Store, run_id: str) -> None:
    message = sentence("There was not enough memory for this; choose a smaller picture size.").model_dump()
    end(store, run_id, FAILED, {"code": "out-of-memory", "sentence": message, "file": None, "row": None})
    (store.runs.folder(run_id) / "log.txt").write_text("attempt 1\nTraceback: no memory\n")


def finished(store: Store, run_id: str, fingerprint: str, **changes: Any) -> None:
    """A finished run with its report, curves and files."""
    points(store, run_id)
    result = {**report(run_id, store, fingerprint), **changes}
    store.runs.set(run_id, report=result)
    folder = store.runs.folder(run_id)
    (folder / "report.html").write_text("<html></html>")
    (folder / "predictions.csv").write_text("input,prediction,confidence\n")
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("README.md", "# card")
    end(store, run_id, SUCCEEDED)


def report(run_id: str, store: Store, fingerprint: str) -> dict[str, Any]:
    """A report in the form that ``tlcore.report.build`` gives."""
    test = Dataset.open(store, fingerprint).split("test")

    def arm(value: float) -> dict[str, Any]:
        metrics, pair = {"accuracy": value, "macro-f1": value - 0.01}, [value - 0.1, min(1.0, value + 0.05)]
        return {
            "value": value,
            "interval": pair,
            "metrics": metrics,
            "intervals": {"accuracy": pair, "macro-f1": pair},
            "seconds": 3.2,
            "seconds_search": 1.1,
            "epochs": 4,
        }

    cost = {
        "seconds": 9.6,
        "seconds_search": 1.1,
        "epochs": [4, 4, 4],
        "examples_per_second": 210.0,
        "peak_memory": 800_000_000,
        "device": "cpu",
        "batch_size": 8,
        "accumulation": 1,
    }
    verdict = sentence(
        "Transfer helps: {metric} is {value} points above training from scratch.",
        metric="accuracy",
        value=30.0,
    )
    return {
        "format": 1,
        "run": run_id,
        "name": "first",
        "task": "image-classification",
        "metric": "accuracy",
        "n_test": len(test),
        "units_test": len(test),
        "seeds": 3,
        "strategy": "feature-extraction",
        "requested_strategy": "auto",
        "transfer": {**arm(0.9), "epochs": None},
        "baseline": arm(0.6),
        "difference": {
            "value": 0.3,
            "interval": [0.1, 0.5],
            "metrics": {"accuracy": 0.3, "macro-f1": 0.29},
            "intervals": {"accuracy": [0.1, 0.5], "macro-f1": [0.1, 0.5]},
        },
        "verdict": "transfer-helps",
        "bundle": str(store.runs.folder(run_id) / "bundle.zip"),
        "packed": {**arm(0.9), "seed": 0},
        "dataset": {"fingerprint": fingerprint, "name": "shapes"},
        "source": {"id": "bundled/studio-small", "title": "Studio small", "licence": "apache-2.0"},
        "labels": list(LABELS),
        "cost": {"transfer": {**cost, "epochs": [None, None, None]}, "twin": cost},
        "gap": {
            "transfer": {"train": 0.99, "validation": 0.9, "gap": 0.09},
            "twin": {"train": 0.9, "validation": 0.6, "gap": 0.3},
        },
        "notes": [sentence("Batches were halved for lack of memory.").model_dump()],
        "sentences": {
            "verdict": verdict.model_dump(),
            "plain": sentence(
                "Of 100 new examples, about {n} right; between {low} and {high}.", n=90, low=80, high=95
            ).model_dump(),
        },
        "confusion": [[2, 1], [0, 3]],
        "confusion_baseline": [[1, 2], [1, 2]],
        "most_confused": [{"truth": "circle", "prediction": "square", "count": 1, "share": 1 / 3}],
        "per_class": [{"label": label, "n": 3, "precision": 0.8, "recall": 0.9, "f1": 0.85} for label in LABELS],
        "worst": [
            {
                "id": row["id"],
                "file": row["file"],
                "truth": row["label"],
                "prediction": next(label for label in LABELS if label != row["label"]),
                "confidence": 0.97,
                "confidence_truth": 0.03,
                "picture": None,
                "gradcam": None,
            }
            for _, row in test.head(3).iterrows()
        ],
    }
