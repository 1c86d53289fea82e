"""What a source model is, as data: a catalogue entry, an upload, or a model of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlcore.words import Sentence

Library = Literal["timm", "transformers"]
Domain = Literal["natural", "medical", "satellite", "text", "own"]
DOMAINS: tuple[Domain, ...] = ("natural", "medical", "satellite", "text", "own")


@dataclass(frozen=True)
class SourceModel:
    """One model that knowledge can be transferred from. Holds no weights; ``open_source`` finds those.

    ``parameters`` counts the network without a new head; ``megabytes`` is the size of ``model.safetensors``
    (10^6 bytes); ``revision`` is a branch, tag or commit of the hub: the commit that was opened is in
    ``OpenSource.revision``.
    """

    id: str  # "bundled/studio-small", "timm/<name>", "<owner>/<name>", "uploaded/<id>", a path …
    title: str
    provider: str
    hub_id: str | None
    revision: str | None
    architecture: str
    parameters: int | None
    megabytes: float | None
    source_task: Sentence
    source_data: Sentence
    licence: str
    input_size: int | None  # pixels a side, or tokens at most
    library: Library | None = None
    domain: Domain = "natural"
    languages: tuple[str, ...] = ()  # ISO 639-1 codes; ("many",) for a model of tens of languages
    modality: str = "image"  # "image", "text" (an encoder), "seq2seq", "causal"; "" where not known before it is opened
    note: Sentence | None = None
