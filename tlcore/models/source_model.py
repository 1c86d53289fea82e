"""What a source model is, as data: a catalogue entry, an upload, or a model of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlcore.core.i18n import Sentence, sentence

Library = Literal["timm", "transformers"]
Domain = Literal["natural", "medical", "satellite", "text", "own"]
UNSAID = sentence("not in the catalogue; its card on the hub says")
DOMAINS: tuple[Domain, ...] = ("natural", "medical", "satellite", "text", "own")


@dataclass(frozen=True)
class SourceModel:
    """One model that knowledge can be transferred from; what is not known of it is left out. Holds no weights:
    ``open_source`` finds those.

    ``parameters`` counts the network without a new head; ``megabytes`` is the size of ``model.safetensors``
    (10^6 bytes); ``revision`` is a branch, tag or commit of the hub: the commit that was opened is in
    ``OpenSource.revision``.
    """

    id: str  # "bundled/studio-small", "timm/<name>", "<owner>/<name>", "uploaded/<id>", a path …
    title: str
    provider: str = ""
    hub_id: str | None = None
    revision: str | None = None
    architecture: str = ""
    parameters: int | None = None
    megabytes: float | None = None
    source_task: Sentence = UNSAID
    source_data: Sentence = UNSAID
    licence: str = "unknown"
    input_size: int | None = None  # pixels a side, or tokens at most
    library: Library | None = None
    domain: Domain = "natural"
    languages: tuple[str, ...] = ()  # ISO 639-1 codes; ("many",) for a model of tens of languages
    modality: str = "image"  # "image", "text" (an encoder), "seq2seq", "causal"; "" where not known before it is opened
    note: Sentence | None = None
