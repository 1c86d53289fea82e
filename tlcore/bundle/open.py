"""Open an untrusted bundle and predict with it. Needs no torch and runs none of the bundle's code."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from tlcore.bundle import layout, onnx_export, predictors
from tlcore.bundle.calibration import Calibration
from tlcore.bundle.predictors.contract import Input, Kind, Prepared, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence, t
from tlcore.report.predictions import share, table

BATCH = 16


class Manifest(BaseModel):
    """The content of ``manifest.json``; ``files`` maps names to sha256."""

    format: int
    task: str
    studio: str = ""
    name: str = ""
    run: str = ""
    fingerprint: str = ""
    source: str = ""
    column: str | None = None  # name of the text column in the training table
    target: dict[str, Any] = Field(default_factory=dict)
    processor: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str]


@dataclass(frozen=True)
class Answers:
    """All rows of a prediction, in order, including those that could not be read."""

    every: list[Row]
    labels: list[str]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.every)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The predicted rows as JSON-ready dicts."""
        return [
            {
                "input": row.input,
                "prediction": row.prediction,
                "confidence": row.confidence,
                "probability": dict(zip(self.labels, row.probability, strict=True)),
            }
            for row in self.every
            if row.reason is None
        ]

    @property
    def set_aside(self) -> list[dict[str, str]]:
        """Inputs that could not be read, each with its reason in the current language."""
        return [{"input": row.input, "reason": t(row.reason)} for row in self.every if row.reason is not None]


class Bundle:
    """An opened bundle, with checked file names, digests and sizes. Use ``Bundle.open``."""

    def __init__(
        self,
        manifest: Manifest,
        labels: list[str],
        kind: Kind,
        prepared: Prepared,
        calibration: Calibration,
        read: Callable[[str], bytes],
    ):
        self.manifest, self.labels, self.kind, self.prepared, self._read = manifest, labels, kind, prepared, read
        self.calibration = calibration
        self.settings: dict[str, float] = {knob.id: knob.default for knob in kind.knobs}

    def choose(self, settings: Mapping[str, float]) -> None:
        """Set knobs of the bundle's kind. Raises UnusableInput for an unknown knob or a value out of bounds."""
        known = {knob.id: knob for knob in self.kind.knobs}
        for name, value in settings.items():
            knob = known.get(name)
            if knob is None or isinstance(value, bool) or not isinstance(value, int | float):
                raise UnusableInput(
                    sentence(
                        "This model has no setting {name} with a value {value}.",
                        name=str(name)[:80],
                        value=str(value)[:80],
                    ),
                    code="setting",
                )
            if not knob.low <= value <= knob.high:
                raise UnusableInput(
                    sentence(
                        "{title} must be between {low} and {high}.", title=knob.title, low=knob.low, high=knob.high
                    ),
                    code="setting",
                )
            self.settings[name] = type(knob.default)(value)

    @cached_property
    def folder(self) -> Path:
        """A temporary folder with the weight files, sha256 checked, for networks that torch runs.

        It is removed together with this object.
        """
        self._unpacked = tempfile.TemporaryDirectory(prefix="bundle-")
        root = Path(self._unpacked.name)
        for name in self.kind.weights:
            if name in self.manifest.files:
                (root / name).write_bytes(self.read(name))
        return root

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a zip or an unzipped folder. Raises UnusableInput with the reason."""
        path = Path(path)
        if not path.exists():
            raise _unusable(sentence("There is no file {file}.", file=path.name), path)
        read, names = _folder_reader(path) if path.is_dir() else _zip_reader(path)
        try:
            manifest = Manifest.model_validate_json(read("manifest.json"))
            if manifest.format != layout.FORMAT:
                raise _unusable(
                    sentence(
                        "This bundle is of format {found}; this studio reads format {known}.",
                        found=manifest.format,
                        known=layout.FORMAT,
                    ),
                    path,
                )
            labels = json.loads(_checked(read, "labels.json", manifest, path))
            preprocessing = _checked(read, "preprocessing.json", manifest, path)
            kind = predictors.find(json.loads(preprocessing).get("kind", "image"))
            _all_there(names, path, [*kind.needed, *({"model.onnx"} & set(manifest.files))])
            prepared = kind.prepared(preprocessing, lambda name: _checked(read, name, manifest, path))
        except (ValidationError, ValueError, RecursionError, AttributeError):
            raise _unusable(sentence("The bundle's manifest, labels or preprocessing cannot be read."), path) from None
        if not (
            isinstance(labels, list)
            and bool(labels) == kind.labelled
            and all(isinstance(label, str) for label in labels)
        ):
            raise _unusable(sentence("The bundle's labels.json is not a list of class names."), path)
        calibration = Calibration()
        if layout.CALIBRATION in manifest.files:
            try:
                calibration = Calibration.model_validate_json(_checked(read, layout.CALIBRATION, manifest, path))
                calibration.fits(labels)
            except ValueError:
                raise _unusable(sentence("The bundle's calibration.json cannot be used."), path) from None
        return cls(manifest, labels, kind, prepared, calibration, lambda name: _checked(read, name, manifest, path))

    def read(self, name: str) -> bytes:
        """One file of the bundle, sha256 checked. Raises UnusableInput if it is missing or was changed."""
        return self._read(name)

    def predict(self, inputs: Iterable[Any]) -> list[Row]:
        """One row per input, in order; an unreadable input becomes a row with its reason.

        An input is an example of the bundle's kind, or (name, example): a path, bytes or an RGB ``PIL.Image`` for
        pictures, a string for texts.
        """
        return list(self.stream(self.kind.named(inputs)))

    def predict_paths(self, paths: Sequence[str | Path]) -> Answers:
        """Predict pictures, folders and zips of pictures, or tables and lists of texts."""
        return Answers(list(self.stream(self.found_in(paths))), self.labels)

    def found_in(self, paths: Sequence[str | Path]) -> Iterator[Input]:
        """The inputs in files and folders, as ``stream`` accepts them."""
        return self.kind.found_in(paths, self.manifest.column)

    def stream(self, inputs: Iterable[tuple[str, Any, Sentence | None]]) -> Iterator[Row]:
        """Yield one row per (name, input, rejection reason or None), in batches, with bounded memory."""
        waiting: list[tuple[str, Any]] = []
        for name, source, reason in inputs:
            if reason is None:
                try:
                    waiting.append((name, self.prepared.one(source)))
                except UnusableInput as error:
                    reason = error.sentence
            if reason is not None:
                yield from self._flush(waiting)
                yield Row(name, reason=reason)
            elif len(waiting) == BATCH:
                yield from self._flush(waiting)
        yield from self._flush(waiting)

    @cached_property
    def session(self) -> Any:
        """The onnxruntime session. Raises UnusableInput if there is no usable ONNX model."""
        if "model.onnx" not in self.manifest.files:
            raise UnusableInput(
                sentence("This bundle has no ONNX file to predict with here; its predict.py runs it with torch."),
                code="bundle",
            )
        model = self.read("model.onnx")
        if _points_outside(model):
            raise UnusableInput(
                sentence("The bundle's ONNX model keeps weights in another file; a bundle holds all of them itself."),
                code="bundle",
            )
        try:
            return onnx_export.session(model)
        except Exception:
            raise UnusableInput(sentence("The bundle's ONNX model cannot be opened."), code="bundle") from None

    def _flush(self, waiting: list[tuple[str, Any]]) -> Iterator[Row]:
        if not waiting:
            return
        yield from self.kind.rows(self, waiting)
        waiting.clear()


def found_in(paths: Sequence[str | Path]) -> Iterator[Input]:
    """Pictures in files, folders and zips, as ``Bundle.stream`` accepts them."""
    return predictors.find("image").found_in(paths)


def predictions_csv(rows: Iterable[Row], labels: Sequence[str]) -> str:
    """CSV of ``input, prediction, confidence``, then one column per class; without rejected inputs."""
    return table(
        ["input", "prediction", "confidence", *labels],
        ([r.input, r.prediction, _sure(r), *map(share, r.probability)] for r in rows if r.reason is None),
    )


def _sure(row: Row) -> str:
    return "" if row.confidence is None else share(row.confidence)


def set_aside_csv(rows: Iterable[Row]) -> str:
    """CSV of ``input, reason`` for the rejected inputs, in the current language."""
    return table(["input", "reason"], ([row.input, t(row.reason)] for row in rows if row.reason is not None))


def _zip_reader(path: Path) -> tuple[Callable[[str], bytes], set[str]]:
    """A reader of zip members, and their names. Names, types and sizes are checked before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist() if not member.is_dir()}
            count = sum(not member.is_dir() for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        raise _unusable(sentence("This is not a zip file that can be read."), path) from None
    for name, member in members.items():
        if name not in layout.KNOWN:
            raise _unusable(sentence("The bundle holds a file that no bundle has: {name}.", name=name[:80]), path)
        if member.file_size > layout.limit(name) or (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise _unusable(sentence("The file {name} in the bundle is too large, or a link.", name=name), path)
        if member.flag_bits & 1:
            raise _unusable(sentence("The bundle is encrypted."), path)
    if count != len(members):
        raise _unusable(sentence("The bundle holds one file twice."), path)
    _all_there(members, path, layout.NEEDED)

    def read(name: str) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                return file.read(layout.limit(name) + 1)[: layout.limit(name)]
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError):
            raise _unusable(sentence("The file {name} in the bundle cannot be read.", name=name), path) from None

    return read, set(members)


def _folder_reader(path: Path) -> tuple[Callable[[str], bytes], set[str]]:
    names = {name for name in layout.KNOWN if (path / name).is_file()}
    _all_there(names, path, layout.NEEDED)

    def read(name: str) -> bytes:
        file = path / name
        if (
            name not in layout.KNOWN
            or file.is_symlink()
            or not file.is_file()
            or file.stat().st_size > layout.limit(name)
        ):
            raise _unusable(sentence("The file {name} in the bundle cannot be read.", name=name), path)
        return file.read_bytes()

    return read, names


def _all_there(names: Iterable[str], path: Path, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in set(names)]
    if missing:
        raise _unusable(sentence("This is not a bundle of the studio: {missing} is missing.", missing=missing), path)


def _checked(read: Callable[[str], bytes], name: str, manifest: Manifest, path: Path) -> bytes:
    content = read(name)
    if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
        raise _unusable(sentence("The file {name} in the bundle was changed after it was packed.", name=name), path)
    return content


def _points_outside(model: bytes) -> bool:
    """Whether an ONNX model loads weights from external files: their paths in an untrusted model are a risk."""
    import onnx as library
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    try:
        return any(uses_external_data(tensor) for tensor in _get_all_tensors(library.load_model_from_string(model)))
    except Exception:
        raise UnusableInput(sentence("The bundle's ONNX model cannot be opened."), code="bundle") from None


def _unusable(message: Sentence, path: Path) -> UnusableInput:
    return UnusableInput(message, code="bundle", file=path.name)
