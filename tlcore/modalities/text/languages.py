"""Language identification of texts (py3langid, offline). Uncertain texts get no language."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tlcore.core.findings import Finding
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL, SAMPLE = 30_000, 20_000  # up to ALL texts are all classified; of more, a random sample of SAMPLE
SURE = 0.8  # least probability; below it the language is None
LETTERS = 15  # least number of letters in a text
READ = 600  # characters of a text that are classified
SHOWN, SMALL = 4, 0.03  # most languages named, and least share: related languages get confused
# The languages to choose from, ISO 639-1. Small languages close to a large one would take texts from it.
NAMES: dict[str, Sentence] = {
    "ar": sentence("Arabic"),
    "bg": sentence("Bulgarian"),
    "cs": sentence("Czech"),
    "da": sentence("Danish"),
    "de": sentence("German"),
    "el": sentence("Greek"),
    "en": sentence("English"),
    "es": sentence("Spanish"),
    "et": sentence("Estonian"),
    "fa": sentence("Persian"),
    "fi": sentence("Finnish"),
    "fr": sentence("French"),
    "he": sentence("Hebrew"),
    "hi": sentence("Hindi"),
    "hr": sentence("Croatian"),
    "hu": sentence("Hungarian"),
    "id": sentence("Indonesian"),
    "it": sentence("Italian"),
    "ja": sentence("Japanese"),
    "ko": sentence("Korean"),
    "lt": sentence("Lithuanian"),
    "lv": sentence("Latvian"),
    "nl": sentence("Dutch"),
    "no": sentence("Norwegian"),
    "pl": sentence("Polish"),
    "pt": sentence("Portuguese"),
    "ro": sentence("Romanian"),
    "ru": sentence("Russian"),
    "sk": sentence("Slovak"),
    "sl": sentence("Slovenian"),
    "sv": sentence("Swedish"),
    "th": sentence("Thai"),
    "tr": sentence("Turkish"),
    "uk": sentence("Ukrainian"),
    "vi": sentence("Vietnamese"),
    "zh": sentence("Chinese"),
}


def column(texts: pd.Series) -> pd.Series:
    """The language of each text, (n,); None where it is too short, uncertain, or not in the sample.

    Of more than ``ALL`` texts only a random sample of ``SAMPLE`` is classified.
    """
    places = np.arange(len(texts))
    if len(texts) > ALL:
        places = np.sort(np.random.default_rng(0).permutation(len(texts))[:SAMPLE])
    found = np.full(len(texts), None, dtype=object)
    for place, text in zip(places, texts.iloc[places], strict=True):
        found[place] = of(text)
    return pd.Series(found, index=texts.index, dtype=object)


def of(text: str) -> str | None:
    """The language of one text (ISO 639-1), or None where it is too short or uncertain."""
    text = text[:READ]
    if sum(map(str.isalpha, text)) < (LETTERS if text.isascii() else LETTERS // 3):  # one character may be a word
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= SURE else None


def shares(rows: pd.DataFrame) -> dict[str, float]:
    """The share of each language among texts with a known language, most common first; {} where there is none."""
    if "language" not in rows:
        return {}
    counts = rows["language"].value_counts(normalize=True)
    return {str(language): float(share) for language, share in counts.items()}


def findings(rows: pd.DataFrame) -> list[Finding]:
    """A note with the languages of the texts."""
    found = shares(rows)
    if not found:
        return []
    n = int(rows["language"].notna().sum())
    return [
        Finding(
            level="note",
            code="languages",
            count=n,
            sentence=sentence(
                "Languages, of {n} texts in which it could be told: {languages}.", n=n, languages=in_words(found)
            ),
        )
    ]


def in_words(found: Mapping[str, float]) -> list[Sentence]:
    """Languages by name with their shares; rare ones are summed up as “others”."""
    named = [(code, share) for code, share in found.items() if share >= SMALL][:SHOWN]
    parts = [
        sentence("{language} {percent} %", language=NAMES[code], percent=round(100 * share)) for code, share in named
    ]
    rest = round(100 * (sum(found.values()) - sum(share for _, share in named)))
    return [*parts, sentence("others {percent} %", percent=rest)] if rest else parts


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(NAMES))
    return identifier
