"""A model folder as files: what is refused before any library looks at it. Needs no torch.

A folder in hub layout holds ``config.json`` and ``model.safetensors``. Both are untrusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MAX_CONFIG = 8_000_000  # bytes; a config with 22,000 label names takes about 2 MB
MAX_HEADER = 10_000_000  # bytes; 20,000 tensors take about 3 MB
MAX_TENSORS = 20_000  # networks of the sizes that are taken here have a few thousand
PICKLES = (
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".pickle",
    ".joblib",
    ".npz",
    ".npy",
    ".h5",
    ".keras",
    ".msgpack",
)
BITS = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "I64": 64,
    "I32": 32,
    "I16": 16,
    "I8": 8,
    "U8": 8,
    "U16": 16,
    "U32": 32,
    "U64": 64,
    "BOOL": 8,
}


@dataclass(frozen=True)
class Weights:
    """What the header of a safetensors file says: tensor shapes by name, and the number of values."""

    shapes: dict[str, tuple[int, ...]]
    values: int


@contextlib.contextmanager
def known_as(folder: Path, title: str) -> Iterator[None]:
    """Within it, sentences that name ``folder`` name it by ``title``: the folders of a cache are called by digests,
    those of a hub by commits.
    """
    try:
        yield
    except UnusableInput as error:
        message = error.sentence
        if message.params.get("folder") != folder.name:
            raise
        named = Sentence(text=message.text, params={**message.params, "folder": title})
        raise UnusableInput(named, code=error.code, file=error.file, row=error.row) from None


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` as a mapping. Raises UnusableInput where it is missing, not JSON, or brings code."""
    path = folder / CONFIG
    if not path.is_file():
        raise UnusableInput(
            sentence(
                "There is no config.json in {folder}. A model folder holds config.json and model.safetensors.",
                folder=folder.name,
            ),
            code="source-config",
            file=CONFIG,
        )
    if path.stat().st_size > MAX_CONFIG:
        raise UnusableInput(
            sentence("config.json is larger than 8 MB; it should be a short description of the network."),
            code="source-config",
            file=CONFIG,
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise UnusableInput(
            sentence("config.json is not valid JSON. Save the model again, or download it once more."),
            code="source-config",
            file=CONFIG,
        ) from None
    if not isinstance(config, dict):
        raise UnusableInput(
            sentence("config.json must be a mapping that names the architecture."),
            code="source-config",
            file=CONFIG,
        )
    if config.get("auto_map") or config.get("trust_remote_code") or config.get("custom_pipelines"):
        raise UnusableInput(
            sentence(
                "This model brings program code of its own (auto_map in config.json). Code that comes with a model is "
                "never run here; choose a model whose architecture timm or transformers knows."
            ),
            code="source-remote-code",
            file=CONFIG,
        )
    return config


def read_weights(folder: Path) -> Weights:
    """The header of ``model.safetensors``, checked against the file's length. Raises UnusableInput."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise no_weights(folder.name, [p.name for p in folder.iterdir()] if folder.is_dir() else [])
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if start[:4] in (b"PK\x03\x04", b"vers") or start[:2] in (
            b"\x80\x02",
            b"\x80\x03",
            b"\x80\x04",
            b"\x80\x05",
        ):
            raise _broken(
                sentence(
                    "model.safetensors is not a safetensors file; it begins like a pickle, a zip or a Git LFS pointer. "
                    "A pickle can run code and is not opened; save the weights as safetensors."
                )
            )
        if MAX_HEADER < length <= size - 8:
            raise _broken(
                sentence(
                    "The header of model.safetensors has {found} MB; that of a network that can be used here has at "
                    "most {most} MB.",
                    found=round(length / 1e6),
                    most=MAX_HEADER // 1_000_000,
                )
            )
        if not 2 <= length <= max(size - 8, 0):
            raise _broken(
                sentence(
                    "model.safetensors is cut off or is not a safetensors file ({bytes} bytes). Download or "
                    "copy it once more.",
                    bytes=size,
                )
            )
        header = file.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        if len(entries) > MAX_TENSORS:
            raise _broken(
                sentence(
                    "model.safetensors lists {found} tensors; a network that can be used here has at most {most}.",
                    found=len(entries),
                    most=MAX_TENSORS,
                )
            )
        shapes = {str(name): _tensor(entry, size - 8 - length) for name, entry in entries.items()}
        _without_overlaps(entries)
    except _CutOff as error:
        raise _broken(
            sentence(
                "model.safetensors is cut off: it should have {expected} bytes and has {found}. Download or copy it "
                "once more.",
                expected=8 + length + error.end,
                found=size,
            )
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _broken(
            sentence("The header of model.safetensors cannot be read. Download or copy the file once more.")
        ) from None
    if not shapes:
        raise _broken(sentence("model.safetensors holds no weights."))
    return Weights(shapes, sum(math.prod(shape) for shape in shapes.values()))


def digest(path: Path) -> str:
    """Sixteen hex digits of the sha256 of a file; remembered while path, size and time stay the same."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        with path.open("rb") as file:
            _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return _digests[key]


_digests: dict[tuple[str, int, int], str] = {}


class _CutOff(Exception):
    def __init__(self, end: int):
        self.end = end


def _tensor(entry: dict[str, Any], available: int) -> tuple[int, ...]:
    shape = tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not all(isinstance(n, int) and n >= 0 for n in (*shape, begin, end)):
        raise ValueError("negative or fractional sizes")
    if end > available:
        raise _CutOff(end)
    if (end - begin) * 8 != math.prod(shape) * BITS[entry["dtype"]]:
        raise ValueError("size and shape differ")
    return shape


def _without_overlaps(entries: dict[str, Any]) -> None:
    """Raises ValueError where two tensors share bytes, or bytes between them belong to none: the format has neither."""
    at = 0
    for begin, end in sorted(entry["data_offsets"] for entry in entries.values()):
        if begin != at:
            raise ValueError("tensors overlap, or leave holes")
        at = end


def _broken(message: Any) -> UnusableInput:
    return UnusableInput(message, code="source-weights", file=WEIGHTS)


def no_weights(folder: str, names: list[str]) -> UnusableInput:
    """Why a folder with these files has no weights that can be opened."""
    if any(name.endswith(".safetensors.index.json") or "-of-0" in name for name in names):
        return UnusableInput(
            sentence(
                "The weights of this model are cut into several files. Only models whose weights are the single file "
                "model.safetensors can be used here."
            ),
            code="source-sharded",
            file=WEIGHTS,
        )
    pickles = [name for name in sorted(names) if name.lower().endswith(PICKLES)]
    if pickles:
        return UnusableInput(
            sentence(
                "The weights are in {name}, a format that can run program code when it is opened, so it is never "
                "opened here. Save the model as model.safetensors (save_pretrained does that) and bring it again.",
                name=pickles[0],
            ),
            code="source-pickle",
            file=pickles[0],
        )
    return UnusableInput(
        sentence(
            "There is no model.safetensors in {folder}. A model folder holds config.json and model.safetensors.",
            folder=folder,
        ),
        code="source-weights",
        file=WEIGHTS,
    )
