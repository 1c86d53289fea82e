"""Evidence on disk, and an index by dataset and source that a page reads without torch.

::

    cache/evidence/<key>.json                         the Evidence; `measurement.evidence_key`
    cache/evidence/index/<fingerprint>/<source>.json  {"source", "key", "version"}: newest measurement of the source
    cache/evidence/index/<fingerprint>/failed.json    {source id: {"title", "sentence"}}: sources not ranked
    cache/evidence/shift/<key>.json                   shift of an unlabelled dataset (`guidance.domain_shift`)
    cache/evidence/far/<key>.json                     out-of-distribution reference of a network and its preprocessing
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import atomic_files
from tlcore.guidance.evidence import VERSION, Evidence

if TYPE_CHECKING:
    from tlcore.store import Store

FAILED = "failed.json"


def load(cache: Path, key: str) -> Evidence | None:
    """The Evidence with that key; None if it is missing or unreadable."""
    try:
        return Evidence.model_validate_json((cache / "evidence" / f"{key}.json").read_bytes())
    except (OSError, ValueError):
        return None


def save(cache: Path, key: str, evidence: Evidence) -> None:
    atomic_files.write(cache / "evidence" / f"{key}.json", evidence.model_dump_json())


def point(cache: Path, fingerprint: str, source_id: str, key: str) -> None:
    """Make this Evidence the newest of its dataset and source in the index."""
    name = hashlib.sha256(source_id.encode()).hexdigest()[:24]
    path = _index(cache, fingerprint) / f"{name}.json"
    pointer = json.dumps({"source": source_id, "key": key, "version": VERSION})
    if not path.exists() or path.read_text() != pointer:
        atomic_files.write(path, pointer)


def kept(store: Store, fingerprint: str, source_id: str) -> Evidence | None:
    """The newest Evidence of a dataset and a source; None if it was not measured with this VERSION."""
    name = hashlib.sha256(source_id.encode()).hexdigest()[:24]
    pointer = _read(_index(store.home / "cache", fingerprint) / f"{name}.json")
    return load(store.home / "cache", pointer["key"]) if pointer.get("version") == VERSION else None


def kept_all(store: Store, fingerprint: str) -> dict[str, Evidence]:
    """The Evidence of every source measured on a dataset, by source id."""
    cache, found = store.home / "cache", {}
    for path in sorted(_index(cache, fingerprint).glob("*.json")):
        pointer = _read(path)
        if path.name != FAILED and pointer.get("version") == VERSION and (evidence := load(cache, pointer["key"])):
            found[pointer["source"]] = evidence
    return found


def failed(store: Store, fingerprint: str) -> dict[str, Any]:
    """Sources that the last ranking could not measure: {id: {"title", "sentence"}}."""
    return _read(_index(store.home / "cache", fingerprint) / FAILED)


def save_failed(store: Store, fingerprint: str, failure: dict[str, Any]) -> None:
    atomic_files.write(_index(store.home / "cache", fingerprint) / FAILED, json.dumps(failure))


def _index(cache: Path, fingerprint: str) -> Path:
    return cache / "evidence" / "index" / fingerprint


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
