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
from tlcore.bundle import card, kinds, layout, onnx
from tlcore.bundle.calibrated import Calibration
from tlcore.bundle.kinds import Kind
from tlcore.report.build import plain, write_whole
from tlcore.report.gradcam import load
from tlcore.report.html import file_name
from tlcore.words import LANGUAGES, say

if TYPE_CHECKING:
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult


BATCH = 16


def pack(context: RunContext, report: dict[str, Any]) -> Path:
    """Write ``bundle.zip`` into the run's folder (replaced whole) and return its path.

    The packed model is the seed that ``report["packed"]`` names. Its ONNX twin is compared with torch on real test
    examples; the figures go into the card and, as ``export``, into the report, which is written again.
    """
    kind = kinds.find(context.task.modality)
    result = next(one for one in context.arms["transfer"] if one.seed == report["packed"]["seed"])
    with tempfile.TemporaryDirectory(dir=context.folder, prefix=".bundle-") as made:
        folder = Path(made)
        for name in kind.weights:
            if (result.weights / name).exists():
                shutil.copyfile(result.weights / name, folder / name)
        calibration = Calibration(temperature=(report.get("calibration") or {}).get("temperature", 1.0))
        _write_json(folder / layout.CALIBRATION, calibration.model_dump())
        report["export"] = _export(context, calibration, result, kind, folder)
        if skipped := report["export"].get("skipped"):
            report["notes"].append(skipped)
        elif not report["export"]["agrees"]:
            report["notes"].append(say(
                "The ONNX file differs from the trained network by up to {difference} in its outputs on {n} test "
                "examples.",
                difference=report["export"]["max_difference"], n=report["export"]["n"]).model_dump())  # fmt: skip
        write_whole(context.folder / "report.json", json.dumps(plain(report), indent=1, ensure_ascii=False))
        for language in LANGUAGES:
            if (page := context.folder / file_name(language)).exists():
                shutil.copyfile(page, folder / page.name)
        _write_json(folder / "report.json", {**plain(report), "bundle": None})
        (folder / "predict.py").write_text(kind.predict_py(), encoding="utf-8")
        (folder / "requirements.txt").write_text(kind.requirements)
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


def _export(context: RunContext, calibration: Calibration, result: ArmResult, kind: Kind,
            folder: Path) -> dict[str, Any]:  # fmt: skip
    """model.onnx, labels, preprocessing and example; returns the figures of the comparison.

    Where the network cannot be written as ONNX there is no such file, and ``skipped`` says why.
    """
    processor, labels = context.processor, context.target["labels"]
    _write_json(folder / "labels.json", labels)
    told = kind.preprocessing(processor)
    _write_json(folder / "preprocessing.json", told)
    prepared = kind.prepared(json.dumps(told).encode(), lambda name: (folder / name).read_bytes())
    rows = context.dataset.split("test")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(onnx.CHECKED, len(rows))).astype(int))
    scored = result.outputs("test")[chosen]
    ready = [prepared.one(source) for source in kind.sources(context, rows.iloc[chosen])]
    feeds = [prepared.feed(ready[i : i + BATCH]) for i in range(0, len(ready), BATCH)]
    one = prepared.feed(ready[:1])
    model = load(result.weights, context.source.source, processor["size"])
    try:
        kind.export(model, processor, folder / "model.onnx")
        session = onnx.session(str(folder / "model.onnx"))
        facts = onnx.agreement(session, model, feeds, scored)
    except Exception as error:  # torch raises errors of its own for each operator that ONNX does not have
        if "model.onnx" in kind.needed:
            raise
        (folder / "model.onnx").unlink(missing_ok=True)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        facts = {"n": 0, "agrees": None, "skipped": say(
            "This network could not be written as ONNX ({reason}); predict.py runs its weights with torch and "
            "transformers instead.", reason=reason).model_dump()}  # fmt: skip
        _example(context, kind, rows.iloc[chosen[0]], scored[:1], calibration, folder)
        return facts
    facts["milliseconds"] = onnx.milliseconds(session, one)
    facts["megabytes"] = round((folder / "model.onnx").stat().st_size / 1e6, 2)
    _example(context, kind, rows.iloc[chosen[0]], onnx.run(session, one), calibration, folder)
    return facts


def _example(context: RunContext, kind: Kind, row: Any, logits: np.ndarray, calibration: Calibration,
             folder: Path) -> None:  # fmt: skip
    """One test example and what the model says of it, so that an installation can be proved to work."""
    from tlcore.bundle.standalone import probabilities

    (folder / "example").mkdir()
    name = kind.example(context, row, folder)
    labels, shares = context.target["labels"], probabilities(logits, calibration.model_dump())[0]
    _write_json(folder / "example" / "expected.json", {
        "input": name, "prediction": labels[int(shares.argmax())], "confidence": float(shares.max()),
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
