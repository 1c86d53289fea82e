"""Where a source model is, and bringing it to a folder that can be opened."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence, t
from tlcore.models import hub, local_folders, lookup, uploads, weight_files
from tlcore.models.catalogue import bundled
from tlcore.models.loading import OpenSource, open_folder, refuse_large
from tlcore.models.source_model import UNSAID, SourceModel

if TYPE_CHECKING:
    from tlcore.store import Store


class Availability(Enum):
    """Where a source model is now."""

    BUNDLED = "bundled"
    HERE = "on this machine"
    DOWNLOAD = "will be downloaded"
    UNREACHABLE = "not reachable"

    @property
    def title(self) -> Sentence:
        return _TITLES[self]


_TITLES = {
    Availability.BUNDLED: sentence("bundled"),
    Availability.HERE: sentence("on this machine"),
    Availability.DOWNLOAD: sentence("will be downloaded"),
    Availability.UNREACHABLE: sentence("not reachable from here"),
}


def availability(source: SourceModel, store: Store, reach: bool | None = None) -> Availability:
    """Where it is, without the network; ``reach``: whether the hub answers (None: as last found out)."""
    if source.id.startswith("bundled/"):
        there = (bundled.folder(source.id) / weight_files.WEIGHTS).is_file()
        return Availability.BUNDLED if there else Availability.UNREACHABLE
    if source.hub_id is None:
        return Availability.HERE if _place(source, store).exists() else Availability.UNREACHABLE
    if hub.local(source.hub_id, source.revision):
        return Availability.HERE
    reach = hub.remembered() if reach is None else reach
    return Availability.UNREACHABLE if reach is False else Availability.DOWNLOAD


def open_source(ref: str, store: Store, progress: hub.Progress | None = None) -> OpenSource:
    """The source model on this machine, downloaded where it must be. Raises UnusableInput with the reason it
    cannot be used.

    ``progress(share, sentence)`` is told of a download; what it raises stops it.
    """
    source = lookup.find(ref, store)
    commit: str | None = None
    if source.id.startswith("bundled/"):
        folder = bundled.folder(source.id)
    elif source.hub_id is None:
        place = _place(source, store)
        if not place.exists():
            raise UnusableInput(
                sentence("{source} is no longer on this machine.", source=source.title), code="source-missing"
            )
        folder = local_folders.unpack(place, store.home) if place.is_file() else place
    else:
        folder, commit = hub.local(source.hub_id, source.revision) or _fetched(source, progress)
    return open_folder(folder, _completed(source, folder), commit)


def known(ref: str, store: Store) -> SourceModel:
    """The source model of that name with what its own files say, where they lie in a folder; nothing is opened or
    fetched. Raises UnusableInput.
    """
    source = lookup.find(ref, store)
    if source.id.startswith("bundled/"):
        return source
    if source.hub_id is not None:
        there = hub.local(source.hub_id, source.revision)
        return _completed(source, there[0]) if there else source
    place = _place(source, store)
    return _completed(source, place) if place.is_dir() else source


def describe(source: SourceModel, store: Store, reach: bool | None = None) -> dict[str, Any]:
    """One row of ``tlcore sources --json``: JSON values, sentences in the current language."""
    where = availability(source, store, reach)
    return {
        "id": source.id,
        "title": source.title,
        "provider": source.provider,
        "architecture": source.architecture,
        "parameters": source.parameters,
        "megabytes": source.megabytes,
        "licence": source.licence,
        "source_task": t(source.source_task),
        "source_data": t(source.source_data),
        "domain": source.domain,
        "input_size": source.input_size,
        "languages": list(source.languages),
        "revision": source.revision,
        "note": t(source.note) if source.note else None,
        "availability": where.value,
        "where": t(where.title),
    }


def _place(source: SourceModel, store: Store) -> Path:
    """The folder or zip of a model that is not of the hub."""
    kind, _, rest = source.id.partition("/")
    if kind == "library":
        return store.models.bundle(rest)
    if kind == "uploaded":
        return uploads.folder(rest, store)
    return Path(source.id)


def _fetched(source: SourceModel, progress: hub.Progress | None) -> tuple[Path, str]:
    assert source.hub_id is not None
    refuse_large(source.parameters or 0, source.modality)
    try:
        return hub.download(source.hub_id, source.revision, progress)
    except UnusableInput as error:
        near = lookup.nearest(source.id)
        if error.code == "source-unknown" and near and near != source.id:
            raise UnusableInput(
                sentence("{reason} Did you mean {near}?", reason=error.sentence, near=near), code=error.code
            ) from None
        raise


def _completed(source: SourceModel, folder: Path) -> SourceModel:
    """What the folder itself says, where the name alone said nothing."""
    if source.parameters is not None and source.modality:
        return source
    seen = local_folders.from_folder(folder, source.id, source.title)
    fields = ("architecture", "parameters", "megabytes", "input_size", "library", "modality")
    keep = {key: getattr(seen, key) for key in fields}
    if source.licence == "unknown":
        keep["licence"] = seen.licence
    if source.source_task == UNSAID:
        keep["source_task"] = seen.source_task
    return replace(source, **keep)
