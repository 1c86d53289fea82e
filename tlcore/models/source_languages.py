"""Whether a source model speaks the language of the texts."""

from __future__ import annotations

from collections.abc import Mapping

from tlcore.core.i18n import Sentence, sentence
from tlcore.modalities.text.languages import NAMES, in_words
from tlcore.models.source_model import SourceModel

MUCH = 0.2  # share of the texts that may be in languages the model does not know


def unspoken(source: SourceModel, shares: Mapping[str, float]) -> Sentence | None:
    """A warning where many of the texts are in languages that the model has not learned.

    ``shares`` is `tlcore.modalities.text.languages.shares`. None too where the model's languages are not known.
    """
    if not source.languages or "many" in source.languages:
        return None
    foreign = {code: share for code, share in shares.items() if code not in source.languages}
    if sum(foreign.values()) < MUCH:
        return None
    return sentence(
        "{source} knows {known} only, and many of the texts are in other languages: {foreign}. A source model of these "
        "languages or of many languages will do better.",
        source=source.title,
        known=[NAMES.get(code, code) for code in source.languages],
        foreign=in_words(foreign)[:3],
    )
