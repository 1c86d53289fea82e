"""A source model by its name, and the source models that serve a task."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.paths import is_there, resolved_path, text_name, usable_path
from tlcore.models import uploads
from tlcore.models.catalogue import CATALOGUE
from tlcore.models.source_model import UNSAID, SourceModel

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Model

HUB = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@(?P<revision>[\w./-]{1,100}))?")
ALLOWED = (
    "bundled/<id>",
    "timm/<name>",
    "<owner>/<name>[@revision]",
    "./folder",
    "./bundle.zip",
    "library/<id>",
    "uploaded/<id>",
)


def find(ref: str, store: Store) -> SourceModel:
    """The source model of that name, without opening it. Raises UnusableInput with what is allowed."""
    ref = ref.strip()
    if ref in CATALOGUE:
        return CATALOGUE[ref]
    kind, _, rest = ref.partition("/")
    if kind == "bundled":
        raise _unknown(ref)
    if kind == "uploaded":
        return uploads.find(rest, store)
    if kind == "library":
        model = store.models.get(rest) if re.fullmatch(r"[\w-]{1,64}", rest) else None
        if model is None:
            raise UnusableInput(
                sentence("The library has no model {ref}; it may have been taken out.", ref=ref),
                code="unknown-source",
            )
        return of_library(model, store.users.names())
    if _is_path(ref):
        return _at(usable_path(ref))
    if (match := HUB.fullmatch(ref)) and ".." not in ref:
        known = CATALOGUE.get(match["id"])
        if known is not None:
            return replace(known, id=ref, revision=match["revision"] or known.revision)
        return SourceModel(
            id=ref,
            title=match["id"].partition("/")[2],
            provider=match["id"].partition("/")[0],
            hub_id=match["id"],
            revision=match["revision"] or "main",
            library="timm" if match["id"].startswith("timm/") else None,
            modality="image" if match["id"].startswith("timm/") else "",
        )
    raise _unknown(ref)


def sources_for(reads: Sequence[str], store: Store, owner: str) -> list[SourceModel]:
    """Bundled and catalogued models, then the owner's uploads, then models of the library, of the kinds that a task
    ``reads``. `find` knows everybody's uploads, so that a Spec that names one works for whoever has it.
    """
    names = store.users.names()
    library = [of_library(model, names) for model in store.models.all()]
    known = [*CATALOGUE.values(), *uploads.uploaded(store, owner), *library]
    return [source for source in known if not source.modality or source.modality in reads]


def nearest(ref: str) -> str | None:
    """The catalogue's name that is most like a mistyped one."""
    near = difflib.get_close_matches(ref, CATALOGUE, n=1, cutoff=0.6)
    return near[0] if near else None


def of_library(model: Model, names: Mapping[str, str]) -> SourceModel:
    """A published model as a source; its numbers come from what was said when it was published.

    ``names`` is what may be shown of each owner (`Users.names`).
    """
    from tlcore.store.tables import LOCAL_OWNER

    about = model.about or {}
    provider = names.get(model.owner, model.owner)
    return SourceModel(
        id=f"library/{model.id}",
        title=model.name,
        provider=provider,
        architecture=str(about.get("architecture") or ""),
        parameters=_int(about.get("parameters")),
        megabytes=about.get("megabytes") if isinstance(about.get("megabytes"), int | float) else None,
        source_task=_task(about),
        source_data=sentence("{name}, of this server", name=about["pre_training"]["set"])
        if about.get("pre_training")
        else sentence("data of this server")
        if model.owner == LOCAL_OWNER
        else sentence("data of this server, by {owner}", owner=provider),
        licence=str(about.get("licence") or "unknown"),
        input_size=_int(about.get("input_size")),
        domain="own",
        modality=str(about.get("modality") or ""),
    )


def _task(about: dict[str, Any]) -> Sentence:
    """What a published model learned."""
    if pre_training := about.get("pre_training"):
        return sentence("pre-training on {n} examples", n=pre_training["examples"])
    labels = about.get("labels") or []
    return sentence("telling {n} classes apart", n=len(labels)) if labels else UNSAID


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _is_path(ref: str) -> bool:
    return ref.startswith(("./", "../", "/", "~", ".\\")) or ref.endswith(".zip") or ref in (".", "..")


def _at(path: Path) -> SourceModel:
    """A folder or zip on this machine, read only for its name here: opening it says what is wrong with it."""
    if not is_there(path):
        raise UnusableInput(
            sentence("There is no folder or zip at {path}.", path=str(path)), code="source-missing", file=str(path)
        )
    resolved = resolved_path(path)
    return SourceModel(
        id=str(path),
        title=text_name(resolved.stem if path.suffix == ".zip" else resolved.name),
        domain="own",
        modality="",
    )


def _unknown(ref: str) -> UnusableInput:
    near = nearest(ref)
    allowed = ", ".join(ALLOWED)
    if near:
        message = sentence(
            "There is no source model called {ref}; did you mean {near}? Allowed are: {allowed}.",
            ref=ref,
            near=near,
            allowed=allowed,
        )
    else:
        message = sentence("There is no source model called {ref}. Allowed are: {allowed}.", ref=ref, allowed=allowed)
    return UnusableInput(message, code="unknown-source")
