"""Packs a trained model as one zip that runs without the studio."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore import __version__
from tlcore.bundle import layout, lora_adapter, model_card, predict_program, predictors
from tlcore.bundle.calibration import Calibration
from tlcore.core import atomic_files
from tlcore.core.i18n import LANGUAGES, sentence
from tlcore.core.strict_json import to_plain
from tlcore.report.html import file_name

if TYPE_CHECKING:
    from tlcore.report.context import RunContext

TEXT = ("text", "source")  # roles of the column of input texts


def pack(context: RunContext, report: dict[str, Any]) -> Path:
    """Write ``bundle.zip`` into the run's folder (atomically) and return its path.

    Packs the model of the seed in ``report["packed"]``. Its ONNX export is compared with torch on real test examples;
    the results go into the model card and, as ``export``, into the report, which is rewritten.
    """
    kind = predictors.find(context.task.bundle)
    result = next(one for one in context.arms["transfer"] if one.seed == report["packed"]["seed"])
    with tempfile.TemporaryDirectory(dir=context.folder, prefix=".bundle-") as made:
        folder = Path(made)
        for name in kind.weights:
            if (result.weights / name).exists():
                shutil.copyfile(result.weights / name, folder / name)
        if (adapters := lora_adapter.copy(context, result, folder)) is not None:
            report["adapter"] = adapters
        calibration = Calibration(
            temperature=(report.get("calibration") or {}).get("temperature", 1.0),
            threshold=context.target.get("threshold"),
            thresholds=_thresholds(report),
        )
        layout.write_json(folder / layout.CALIBRATION, calibration.model_dump())
        report["export"] = kind.write(context, calibration, result, folder)
        if skipped := report["export"].get("skipped"):
            report["notes"].append(skipped)
        elif not report["export"]["agrees"]:
            report["notes"].append(
                sentence(
                    "The ONNX file differs from the trained network by up to {difference} in its outputs on {n} test "
                    "examples.",
                    difference=report["export"]["max_difference"],
                    n=report["export"]["n"],
                ).model_dump()
            )
        atomic_files.write(context.folder / "report.json", json.dumps(to_plain(report), indent=1, ensure_ascii=False))
        for language in LANGUAGES:
            if (page := context.folder / file_name(language)).exists():
                shutil.copyfile(page, folder / page.name)
        layout.write_json(folder / "report.json", {**to_plain(report), "bundle": None})
        (folder / "predict.py").write_text(kind.predict_py(), encoding="utf-8")
        needed = predict_program.requirements(kind.requirement, context.source.library if skipped else None)
        (folder / "requirements.txt").write_text(needed)
        hashes = {name: sha256(folder / name) for name in _names(folder)}
        (folder / "README.md").write_text(model_card.write(context, report, hashes, needed), encoding="utf-8")
        hashes["README.md"] = sha256(folder / "README.md")
        layout.write_json(folder / "manifest.json", _manifest(context, hashes))
        with atomic_files.atomic_path(context.folder / "bundle.zip") as draft:
            write_zip(draft, folder)
    return context.folder / "bundle.zip"


def write_zip(path: Path, folder: Path) -> None:
    """Zip a folder reproducibly (same content, same bytes): sorted names, one date, fixed permissions.

    Weights are stored uncompressed: they hardly shrink, and reading them is faster.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in _names(folder):
            member = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            large = name.endswith((".safetensors", ".onnx", ".jpg", ".png"))
            member.compress_type = zipfile.ZIP_STORED if large else zipfile.ZIP_DEFLATED
            with (folder / name).open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _thresholds(report: dict[str, Any]) -> list[float] | None:
    rows = (report.get("thresholds") or {}).get("labels")
    return [row["threshold"] for row in rows] if rows else None


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(context: RunContext, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "format": layout.FORMAT,
        "studio": __version__,
        "task": context.task.id,
        "target": context.target,
        "processor": context.processor,
        "run": context.run_id,
        "name": context.spec.name,
        "fingerprint": context.dataset.fingerprint,
        "source": context.source.source.id,
        "column": next((column for role, column in context.spec.data.columns.items() if role in TEXT), None),
        "files": dict(sorted(hashes.items())),
    }


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
