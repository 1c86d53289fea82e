"""Every sentence shown to a person, in English and Português (Brasil).

The English sentence is the message id (gettext's custom): code writes ``t("Source")`` or, where the sentence is kept
for later (a finding, a failure, a verdict), ``sentence("{n} pictures cannot be read", n=3)``. Babel extracts both;
``pt_BR.po`` holds the translations and a test fails on a missing one. Numbers inside a sentence follow the language.

What is stored keeps what it says: a Sentence is written to JSON with its translations, and sentences of earlier
releases stay in ``pt_BR.po`` as obsolete entries, for reports that were stored without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from pydantic import BaseModel, ConfigDict, Field, model_serializer

LANGUAGES = {"en": "English", "pt_BR": "Português (Brasil)"}
_language: Callable[[], str] = lambda: "en"  # noqa: E731


class Sentence(BaseModel):
    """A sentence not yet put into a language: the English text with ``{placeholders}`` and what fills them.

    ``translations`` are the texts by language as they were when it was stored; they win over the catalogue.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    params: dict[str, Any] = Field(default_factory=dict)
    translations: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        return _fill(self.text, self.params, "en")

    @model_serializer
    def _with_translations(self) -> dict[str, Any]:
        found = {lang: text for lang in LANGUAGES if (text := _catalogue(lang).get(self.text))} | self.translations
        return {"text": self.text, "params": self.params} | ({"translations": found} if found else {})

    def template(self, lang: str) -> str:
        """The text with its placeholders in a language; English where there is no translation."""
        return self.translations.get(lang) or _catalogue(lang).get(self.text, self.text)


def sentence(text: str, /, **params: Any) -> Sentence:
    """A sentence for later; ``params`` are JSON values, or other Sentences."""
    return Sentence(text=text, params=params)


def t(sentence: Sentence | str, /, **params: Any) -> str:
    """The sentence in the current language, its numbers written as that language writes them."""
    if not isinstance(sentence, Sentence):
        sentence = Sentence(text=sentence)
    lang = language()
    return _fill(sentence.template(lang), {**sentence.params, **params}, lang)


def translate(value: Any) -> str:
    """Like ``t`` for a Sentence that came back from JSON as a mapping with ``text`` and ``params``."""
    return t(Sentence.model_validate(value)) if isinstance(value, dict) else t(value)


def language() -> str:
    """The current language: ``en`` or ``pt_BR``."""
    chosen = _language()
    return chosen if chosen in LANGUAGES else "en"


def set_language_provider(provider: Callable[[], str]) -> None:
    """Let ``provider`` decide the language each time a sentence is shown (the web session, in the studio)."""
    global _language
    _language = provider


def match_locale(locale: str | None) -> str:
    """The language of ours that fits a browser's locale such as ``pt-BR``."""
    return "pt_BR" if (locale or "").lower().startswith("pt") else "en"


def number(value: float, digits: int | None = None) -> str:
    """A number as the current language writes it, with ``digits`` decimals (at most 3 if None)."""
    pattern = "#,##0.###" if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=language())


def percent(share: float, digits: int = 1) -> str:
    """A share (0-1) as a percentage."""
    return f"{number(100 * share, digits)} %"


def format_moment(when: datetime) -> str:
    """A date and time, to the minute, as the current language writes it."""
    return f"{format_date(when, 'medium', locale=language())}, {format_time(when, 'short', locale=language())}"


def _fill(text: str, params: dict[str, Any], lang: str) -> str:
    if not params:
        return text.replace("{{", "{").replace("}}", "}")
    return text.format(**{name: _shown(value, lang) for name, value in params.items()})


def _shown(value: Any, lang: str) -> str:
    if isinstance(value, dict) and {"text", "params"} <= set(value):
        value = Sentence.model_validate(value)
    if isinstance(value, Sentence):
        return _fill(value.template(lang), value.params, lang)
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        small = 0 < abs(value) < 0.01  # a learning rate: its first digits count
        return format_decimal(value, format="0.#########" if small else "#,##0.###", locale=lang)
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item, lang) for item in value)
    return str(value)


@functools.cache
def _catalogue(lang: str) -> dict[str, str]:
    path = Path(__file__).with_name(f"{lang}.po")
    if not path.exists():
        return {}
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        catalogue = read_po(file)
    every = (*catalogue.obsolete.values(), *catalogue)
    return {m.id: m.string for m in every if m.id and m.string and isinstance(m.id, str)}
