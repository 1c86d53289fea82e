"""Pack the trained model as one zip that runs without the studio."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import __version__
from tlcore.bundle import card, layout, onnx, program
from tlcore.report.build import plain, write_whole
from tlcore.report.gradcam import load
from tlcore.report.html import file_name
from tlcore.words import LANGUAGES, say

if TYPE_CHECKING:
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult


def pack(context: RunContext, report: dict[str, Any]) -> Path:
    """Write ``bundle.zip`` into the run's folder (replaced whole) and return its path.

    The packed model is the seed that ``report["packed"]`` names. Its ONNX twin is compared with torch on real test
    pictures; the figures go into the card and, as ``export``, into the report, which is written again.
    """
    result = next(one for one in context.arms["transfer"] if one.seed == report["packed"]["seed"])
    with tempfile.TemporaryDirectory(dir=context.folder, prefix=".bundle-") as made:
        folder = Path(made)
        for name in layout.WEIGHTS:
            if (result.weights / name).exists():
                shutil.copyfile(result.weights / name, folder / name)
        report["export"] = _export(context, report, result, folder)
        if not report["export"]["agrees"]:
            report["notes"].append(say(
                "The ONNX file differs from the trained network by up to {difference} in its outputs on {n} test "
                "pictures.",
                difference=report["export"]["max_difference"], n=report["export"]["n"]).model_dump())  # fmt: skip
        write_whole(context.folder / "report.json", json.dumps(plain(report), indent=1, ensure_ascii=False))
        for language in LANGUAGES:
            if (page := context.folder / file_name(language)).exists():
                shutil.copyfile(page, folder / page.name)
        _write_json(folder / "report.json", {**plain(report), "bundle": None})
        (folder / "predict.py").write_text(program.predict_py(), encoding="utf-8")
        (folder / "requirements.txt").write_text(program.REQUIREMENTS)
        hashes = {name: sha256(folder / name) for name in _names(folder)}
        (folder / "README.md").write_text(card.write(context, report, hashes), encoding="utf-8")
        hashes["README.md"] = sha256(folder / "README.md")
        _write_json(folder / "manifest.json", _manifest(context, hashes))
        draft = context.folder / f".bundle.zip.{os.getpid()}.tmp"
        write_zip(draft, folder)
        os.replace(draft, context.folder / "bundle.zip")
    return context.folder / "bundle.zip"


def write_zip(path: Path, folder: Path) -> None:
    """Zip a folder so that the same content gives the same bytes: sorted names, one date, fixed rights.

    Weights are stored as they are: they hardly shrink, and reading them back costs nothing.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in _names(folder):
            member = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            large = name.endswith((".safetensors", ".onnx", ".jpg", ".png"))
            member.compress_type = zipfile.ZIP_STORED if large else zipfile.ZIP_DEFLATED
            with (folder / name).open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _export(context: RunContext, report: dict[str, Any], result: ArmResult, folder: Path) -> dict[str, Any]:
    """model.onnx, labels, preprocessing and example; returns the figures of the comparison."""
    import torch

    from tlcore.data.pictures import open_picture
    from tlcore.tasks.picture_canvas import canvas, pixels

    processor, labels = context.processor, context.target["labels"]
    kept = ("size", "canvas", "interpolation", "mean", "std")
    _write_json(folder / "labels.json", labels)
    _write_json(folder / "preprocessing.json", {key: processor[key] for key in kept})
    model = load(result.weights, context.source.source, processor["size"])
    model.to(memory_format=torch.contiguous_format)
    onnx.export(model, processor["size"], folder / "model.onnx")
    rows = context.dataset.split("test")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(onnx.CHECKED, len(rows))).astype(int))
    whole = np.stack([
        canvas(open_picture(context.dataset.file(file)), processor["canvas"], processor["interpolation"])
        for file in rows["file"].iloc[chosen]
    ])  # fmt: skip
    inputs = pixels(whole, processor["size"], processor["mean"], processor["std"])
    session = onnx.session(str(folder / "model.onnx"))
    facts = onnx.agreement(session, model, inputs, result.outputs("test")[chosen])
    facts["milliseconds"] = onnx.milliseconds(session, inputs[:1])
    facts["megabytes"] = round((folder / "model.onnx").stat().st_size / 1e6, 2)
    _example(context, rows.iloc[chosen[0]], onnx.run(session, inputs[:1])[0], folder)
    return facts


def _example(context: RunContext, row: Any, logits: np.ndarray, folder: Path) -> None:
    """One test picture and what the model says of it, so that an installation can be proved to work."""
    from tlcore.bundle.standalone import softmax

    suffix = Path(row["id"]).suffix.lower()
    name = f"picture{suffix if suffix in layout.PICTURES else Path(row['file']).suffix.lower()}"
    (folder / "example").mkdir()
    shutil.copyfile(context.dataset.file(row["file"]), folder / "example" / name)
    labels, shares = context.target["labels"], softmax(logits[None])[0]
    _write_json(folder / "example" / "expected.json", {
        "input": f"example/{name}", "prediction": labels[int(shares.argmax())], "confidence": float(shares.max()),
        "probability": [float(share) for share in shares], "tolerance": onnx.TOLERANCE,
    })  # fmt: skip


def _manifest(context: RunContext, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "format": layout.FORMAT, "studio": __version__, "task": context.task.id,
        "target": context.target, "processor": context.processor, "run": context.run_id, "name": context.spec.name,
        "fingerprint": context.dataset.fingerprint, "source": context.source.source.id,
        "files": dict(sorted(hashes.items())),
    }  # fmt: skip


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
