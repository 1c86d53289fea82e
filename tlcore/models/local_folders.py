"""Model folders and zips on this machine that no catalogue lists: read for what they say about themselves."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.archives import count_entries
from tlcore.models import pair_tokenization, tokenization, weight_files
from tlcore.models.loading.loader import modality_of
from tlcore.models.source_model import Library, SourceModel
from tlcore.store import cache

KEPT = (
    weight_files.CONFIG,
    weight_files.WEIGHTS,
    "preprocessor_config.json",
    "README.md",
    "labels.json",
    "generation_config.json",
    *tokenization.FILES,
    *pair_tokenization.FILES,
)
LIMITS = {
    weight_files.WEIGHTS: 4_000_000_000,
    tokenization.TOKENIZER: tokenization.LARGEST,
    pair_tokenization.TARGET: tokenization.LARGEST,
}  # bytes; the other files are short
SHORT = 10_000_000


def from_folder(folder: Path, id_: str, title: str) -> SourceModel:
    """A SourceModel from a folder in hub layout. Raises UnusableInput where it cannot be a source."""
    config, weights = weight_files.read_config(folder), weight_files.read_weights(folder)
    modality = modality_of(config)
    return SourceModel(
        id=id_,
        title=title,
        architecture=_architecture(config),
        parameters=weights.values,
        megabytes=round((folder / weight_files.WEIGHTS).stat().st_size / 1e6, 1),
        source_task=_task(config),
        source_data=sentence("not known; the folder does not say"),
        licence=_licence(folder),
        input_size=tokenization.longest(folder, config) if modality != "image" else _input_size(config),
        modality=modality,
        library=_library(config),
        domain="own",
    )


def unpack(archive: Path, home: Path) -> Path:
    """The model of a zip (a bundle, or a zipped folder) in a folder of the cache, named by the zip's content.

    Only the known files are read, each up to a limit. Raises UnusableInput.
    """
    if not archive.is_file():
        raise UnusableInput(
            sentence("There is no file {file}.", file=archive.name), code="source-missing", file=str(archive)
        )
    target = home / "cache" / "sources" / weight_files.digest(archive)
    if (target / weight_files.CONFIG).is_file():
        cache.touch(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        extract(archive, draft)
        try:
            os.replace(draft, target)
        except OSError:  # another process unpacked the same zip first
            if not (target / weight_files.CONFIG).is_file():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def extract(archive: Path, folder: Path) -> None:
    """Copy the known model files of a zip, wherever its config is, into ``folder``. Raises UnusableInput."""
    try:
        count_entries(archive)
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened)
            for name, member in members.items():
                _copy(opened, member, folder / name, LIMITS.get(name, SHORT))
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnusableInput(
            sentence("The zip {file} is damaged, incomplete or locked with a password.", file=archive.name),
            code="archive-damaged",
            file=archive.name,
        ) from None
    if weight_files.CONFIG not in members:
        raise UnusableInput(
            sentence(
                "There is no config.json in {file}. A model zip holds config.json and model.safetensors at its root.",
                file=archive.name,
            ),
            code="source-config",
            file=archive.name,
        )
    if weight_files.WEIGHTS not in members:
        with zipfile.ZipFile(archive) as opened:
            names = [Path(name).name for name in opened.namelist()]
        raise weight_files.no_weights(archive.stem, names)


def _members(opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The known files beside ``config.json``; names are compared, never joined to a path."""
    configs = [i for i in opened.infolist() if i.filename.replace("\\", "/").split("/")[-1] == weight_files.CONFIG]
    if not configs:
        return {}
    config = min(configs, key=lambda info: info.filename.count("/"))
    prefix = config.filename[: -len(weight_files.CONFIG)]
    return {
        info.filename[len(prefix) :]: info
        for info in opened.infolist()
        if info.filename.startswith(prefix) and info.filename[len(prefix) :] in KEPT
    }


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> None:
    """Copy one member as a plain file; its declared size is checked, and what comes out is counted."""
    too_large = UnusableInput(
        sentence("{name} in the zip is larger than {limit} MB.", name=target.name, limit=limit // 1_000_000),
        code="archive-bomb",
        file=target.name,
    )
    if member.file_size > limit or member.file_size > 1000 * max(1, member.compress_size) + 1_000_000:
        raise too_large
    if member.file_size > shutil.disk_usage(target.parent).free - 200_000_000:
        raise UnusableInput(sentence("There is no room on the disk for {name}.", name=target.name), code="disk-full")
    written = 0
    with opened.open(member) as source, target.open("wb") as out:
        while piece := source.read(1 << 20):
            written += len(piece)
            if written > limit:
                raise too_large
            out.write(piece)


def _architecture(config: dict[str, Any]) -> str:
    given = config.get("architecture") or config.get("model_type")
    return str(given or "")[:80]


def _library(config: dict[str, Any]) -> Library | None:
    if "model_type" in config or "architectures" in config:
        return "transformers"
    return "timm" if "architecture" in config else None


def _task(config: dict[str, Any]) -> Sentence:
    labels = config.get("label_names") or config.get("id2label")
    if isinstance(labels, list | dict) and len(labels) > 1:
        return sentence("telling {n} classes apart", n=len(labels))
    return sentence("not known; the folder does not say")


def _input_size(config: dict[str, Any]) -> int | None:
    nested = config.get("pretrained_cfg")
    size = (nested if isinstance(nested, dict) else config).get("input_size") or config.get("image_size")
    size = size[-1] if isinstance(size, list) and size else size
    return size if isinstance(size, int) else None


def _licence(folder: Path) -> str:
    """The licence in the model card's head, or in timm's config."""
    card = folder / "README.md"
    if card.is_file():
        with card.open(encoding="utf-8", errors="replace") as file:
            head = file.read(20_000)
        if head.startswith("---") and (found := re.search(r"^license(?:_name)?:[ \t]*([\w.+-]+)", head, re.MULTILINE)):
            return found.group(1)
    nested = weight_files.read_config(folder).get("pretrained_cfg")
    given = nested.get("license") if isinstance(nested, dict) else None
    return given if isinstance(given, str) and given else "unknown"
