"""Source models that people bring: ``config.json`` and ``model.safetensors`` as folder, zip or files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import limits
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.models import local_folders, tokenization, weight_files
from tlcore.models.adapters.build import memory_exceeded
from tlcore.models.source_model import SourceModel

if TYPE_CHECKING:
    from tlcore.store import Store

ABOUT = "about.json"
# The trial asks no hub, stays off the GPU, and starts few threads, whose stacks count as memory.
ALONE = {
    "HF_HUB_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "2",
    "MKL_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "TOKENIZERS_PARALLELISM": "false",
    "RUST_BACKTRACE": "0",
}
# How a process ends where an allocation fails in native code that does not check it.
NO_MEMORY_SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)


def add_upload(brought: Mapping[str, Path] | Path, store: Store, name: str, owner: str) -> SourceModel:
    """Check a model that ``owner`` brought, keep a copy in ``sources/<id>/``, and list it for them. Raises
    UnusableInput.

    ``brought`` is a folder, a zip, or files by their names. The network is built and run once in a process
    of its own, so that this process needs no torch. Bringing the same files under the same name again gives the
    same id, and leaves the folder as it is: a run may be reading it.
    """
    home = store.home / "sources"
    home.mkdir(parents=True, exist_ok=True)
    outer = Path(tempfile.mkdtemp(prefix=".upload-", dir=home))
    draft = outer / _known_as(name, brought)  # what is wrong with it is said of the folder's name
    draft.mkdir(mode=0o700)
    try:
        _collect(brought, draft)
        config = weight_files.read_config(draft)
        weights = weight_files.read_weights(draft)
        size = try_out(draft, draft.name, weights.values)
        title = name.strip()[:200] or str(config.get("architecture") or "model")
        id_ = f"{_slug(title)}-{_digest(draft, owner)}"
        about = {"title": title, "owner": owner, "added": time.time(), "input_size": size}
        (draft / ABOUT).write_text(json.dumps(about))
        try:
            os.replace(draft, home / id_)
        except OSError:
            if not (home / id_ / ABOUT).is_file():  # else it was brought before
                raise
        return find(id_, store)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def uploaded(store: Store, owner: str) -> list[SourceModel]:
    """The models that ``owner`` brought to this workspace, newest first; a damaged folder is left out."""
    found: list[tuple[float, SourceModel]] = []
    home = store.home / "sources"
    for folder_ in sorted(home.iterdir()) if home.is_dir() else []:
        if not folder_.name.startswith(".") and owned(folder_.name, store, owner):
            try:
                found.append((_about(folder_).get("added", 0.0), _source(folder_)))
            except UnusableInput:
                continue
    return [source for _, source in sorted(found, key=lambda pair: -pair[0])]


def find(id_: str, store: Store) -> SourceModel:
    """One uploaded model. Raises UnusableInput where there is none of that id."""
    place = folder(id_, store)
    if not (place / ABOUT).is_file():
        raise UnusableInput(sentence("Nobody uploaded a source model called {id}.", id=id_[:80]), code="unknown-source")
    return _source(place)


def folder(id_: str, store: Store) -> Path:
    """Where an uploaded model lies; an id that is not one of ours leads nowhere."""
    return store.home / "sources" / (id_ if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,120}", id_) else "-")


def owned(id_: str, store: Store, owner: str) -> bool:
    """Whether there is an uploaded model of that id, and ``owner`` brought it."""
    from tlcore.store.tables import LOCAL_OWNER, fold_owner

    place = folder(id_, store)
    return (place / ABOUT).is_file() and fold_owner(str(_about(place).get("owner", LOCAL_OWNER))) == owner


def remove(id_: str, store: Store, owner: str) -> bool:
    """Take an uploaded model off this server; only its owner does."""
    if not owned(id_, store, owner):
        return False
    shutil.rmtree(folder(id_, store))
    return True


def _digest(draft: Path, owner: str) -> str:
    """Eight hex digits of what was brought and by whom: of the same files each person has a copy of their own."""
    parts = [owner, *(f"{path.name} {weight_files.digest(path)}" for path in sorted(draft.iterdir()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _collect(brought: Mapping[str, Path] | Path, draft: Path) -> None:
    """The known files, copied into ``draft``; anything else that was brought is left where it is."""
    if isinstance(brought, Path) and brought.is_file():
        local_folders.extract(brought, draft)
        return
    if isinstance(brought, Path):
        if not brought.is_dir():
            raise UnusableInput(
                sentence("There is no folder or zip at {path}.", path=brought.name), code="source-missing"
            )
        given = {path.name: path for path in brought.iterdir() if path.is_file() and not path.is_symlink()}
    else:
        given = {name.replace("\\", "/").split("/")[-1]: path for name, path in brought.items()}
    if weight_files.CONFIG not in given:
        zips = [path for name, path in given.items() if name.endswith(".zip")]
        if len(zips) == 1 and len(given) == 1:
            local_folders.extract(zips[0], draft)
            return
    if weight_files.CONFIG in given and weight_files.WEIGHTS not in given:
        raise weight_files.no_weights(draft.name, list(given))
    for known in local_folders.KEPT:
        if known in given:
            shutil.copyfile(given[known], draft / known)


def try_out(folder: Path, title: str, weights: int) -> int:
    """Try the tokenizers of a model folder, and run one blank input through its network of so many ``weights``, in
    another process under a small limit of memory and of time (`limits.of_trial`).

    Gives the size of the network's input; ``title`` is the name that the person knows. Raises UnusableInput.
    """
    limit = limits.of_trial(weights)
    group = limits.Group.make(f"trial-{secrets.token_hex(6)}", limit.memory)
    command = [sys.executable, "-m", "tlcore.models.loading.try_out", str(folder), "--title", title]
    command += ["--memory", str(limit.memory)] if limit.memory else []
    command += ["--cgroup", str(group.path)] if group else []
    code: int | None = None  # of the exit; None where the time was over
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit.seconds, env={**os.environ, **ALONE}, check=False
        )
        code, output, log = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        output, log = error.stdout or b"", error.stderr or b""
    finally:
        exceeded = group is not None and group.exceeded()
        if group:
            group.remove()
    answer = _answer(output)
    if "input_size" in answer:
        return int(answer["input_size"])
    if "error" in answer:
        found = answer["error"]
        raise UnusableInput(Sentence.model_validate(found["sentence"]), code=found["code"], file=found["file"])
    of_tokenizer = answer.get("phase") == "tokenizer"
    if code is None or code == -signal.SIGALRM:
        raise _too_slow(title, of_tokenizer, limit.seconds or 0)
    if exceeded or -code in NO_MEMORY_SIGNALS or limits.allocation_failed(log[-limits.TAIL :]):
        raise _too_hungry(title, of_tokenizer, limit.memory)
    raise UnusableInput(
        sentence("{model} could not be built on this machine: its process ended without a reason.", model=title),
        code="source-unusable",
    )


def _answer(output: bytes) -> dict[str, Any]:
    """The last line that the check printed; empty where there is none."""
    for line in reversed(output.decode(errors="replace").splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return {}


def _too_slow(title: str, of_tokenizer: bool, seconds: float) -> UnusableInput:
    if of_tokenizer:
        return UnusableInput(
            sentence(
                "The tokenizer of {model} was not done with short texts within {seconds} seconds. A regular expression "
                "in it may need too many steps; choose another model.",
                model=title,
                seconds=round(min(seconds or limits.TOKENIZER_SECONDS, limits.TOKENIZER_SECONDS)),
            ),
            code="source-tokenizer",
            file=tokenization.TOKENIZER,
        )
    return UnusableInput(
        sentence(
            "The network of {model} could not be built within {seconds} seconds on this machine.",
            model=title,
            seconds=round(seconds),
        ),
        code="source-too-large",
    )


def _too_hungry(title: str, of_tokenizer: bool, memory: int | None) -> UnusableInput:
    if memory is None:
        return UnusableInput(
            sentence("{model} needed more memory than this machine has while it was tried.", model=title),
            code="source-too-large",
        )
    if of_tokenizer:
        return UnusableInput(
            sentence(
                "The tokenizer of {model} needed more than {gigabytes} GB of memory for a short text: its steps make "
                "texts far too long. Choose another model.",
                model=title,
                gigabytes=round(memory / limits.GB, 1),
            ),
            code="source-tokenizer",
            file=tokenization.TOKENIZER,
        )
    return memory_exceeded(title, memory)


def _source(place: Path) -> SourceModel:
    about = _about(place)
    return local_folders.from_folder(place, f"uploaded/{place.name}", str(about.get("title") or place.name))


def _about(place: Path) -> dict[str, Any]:
    try:
        about = json.loads((place / ABOUT).read_text())
    except (OSError, ValueError):
        about = {}
    return about if isinstance(about, dict) else {}


def _known_as(name: str, brought: Mapping[str, Path] | Path) -> str:
    """What the person calls a model, as the name of a folder: as they named it, else as its folder or zip is called."""
    names = [brought.stem if brought.is_file() else brought.name] if isinstance(brought, Path) else sorted(brought)
    given = name.strip() or (names[0] if isinstance(brought, Path) or len(names) == 1 else "")
    plain = re.sub(r"[\x00-\x1f/\\]+", "-", given).strip(". -")
    return plain.encode()[:200].decode(errors="ignore") or "model"


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "model"
