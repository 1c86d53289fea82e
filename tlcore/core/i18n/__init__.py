"""Every sentence shown to a person, in English and Português (Brasil).

The English sentence is the message id (as usual with gettext). Code writes ``t("Source")``, or ``sentence("{n} pictures
cannot be read", n=3)`` if the sentence is stored for later (a finding, a failure, a verdict). Babel extracts both.
``pt_BR.po`` holds the translations; a test fails on a missing one. Numbers inside a sentence follow the language.

A stored Sentence is written to JSON with its translations. Sentences of earlier releases stay in ``pt_BR.po`` as
obsolete entries, for reports stored without translations.
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
    """A sentence before translation: the English text with ``{placeholders}`` and their values.

    ``translations`` are the texts by language at the time it was stored; they take precedence over the catalogue.
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
        """The text with its placeholders in ``lang``; English if there is no translation."""
        return self.translations.get(lang) or _catalogue(lang).get(self.text, self.text)


def sentence(text: str, /, **params: Any) -> Sentence:
    """A sentence to be shown later; ``params`` are JSON values or other Sentences."""
    return Sentence(text=text, params=params)


def t(sentence: Sentence | str, /, **params: Any) -> str:
    """The sentence in the current language, with numbers in its format."""
    if not isinstance(sentence, Sentence):
        sentence = Sentence(text=sentence)
    lang = language()
    return _fill(sentence.template(lang), {**sentence.params, **params}, lang)


def translate(value: Any) -> str:
    """Like ``t``, for a Sentence loaded from JSON as a mapping with ``text`` and ``params``."""
    return t(Sentence.model_validate(value)) if isinstance(value, dict) else t(value)


def language() -> str:
    """The current language: ``en`` or ``pt_BR``."""
    chosen = _language()
    return chosen if chosen in LANGUAGES else "en"


def set_language_provider(provider: Callable[[], str]) -> None:
    """Set the function that returns the language each time a sentence is shown (in the studio: of the web session)."""
    global _language
    _language = provider


def match_locale(locale: str | None) -> str:
    """The supported language for a browser's locale such as ``pt-BR``."""
    return "pt_BR" if (locale or "").lower().startswith("pt") else "en"


def number(value: float, digits: int | None = None) -> str:
    """A number in the format of the current language, with ``digits`` decimals (at most 3 if None)."""
    pattern = "#,##0.###" if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=language())


def percent(share: float, digits: int = 1) -> str:
    """A share (0-1) as a percentage."""
    return f"{number(100 * share, digits)} %"


def format_moment(when: datetime) -> str:
    """A date and time, to the minute, in the format of the current language."""
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
        small = 0 < abs(value) < 0.01  # a learning rate, for example: keep its first digits
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
