"""Every sentence shown to a person exists in both languages, with the same placeholders."""

from __future__ import annotations

import ast
import string
from datetime import datetime

import pytest
from babel.messages.pofile import read_po

from tlcore.core import i18n
from tlcore.core.i18n import (
    LANGUAGES,
    Sentence,
    extract,
    format_moment,
    match_locale,
    number,
    percent,
    sentence,
    set_language_provider,
    t,
    translate,
)

SENTENCES = extract.sentences()


@pytest.fixture
def portuguese():
    set_language_provider(lambda: "pt_BR")
    yield
    set_language_provider(lambda: "en")


@pytest.fixture(scope="module")
def catalogue():
    with extract.PO.open("rb") as file:
        return read_po(file)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_extraction_sees_the_studio():
    files = {file for places in SENTENCES.values() for file in places}
    assert len(SENTENCES) > 300
    assert {"pages/start.py", "tlcore/spec.py", "tlcore/ui/learn/verdict.py"} <= files


def test_every_sentence_is_translated(catalogue):
    translated = {m.id: m.string for m in catalogue if m.id}
    missing = sorted(text for text in SENTENCES if not translated.get(text))
    assert not missing, f"{len(missing)} sentences without a translation (`make words`): {missing[:20]}"


def test_no_translation_is_stale_or_fuzzy(catalogue):
    ids = {m.id for m in catalogue if m.id}
    assert ids <= set(SENTENCES), f"no longer in the code: {sorted(ids - set(SENTENCES))[:10]}"
    assert not [m.id for m in catalogue if m.id and m.fuzzy]
    assert not set(catalogue.obsolete) & set(SENTENCES)


def test_placeholders_are_the_same_in_both_languages(catalogue):
    wrong = [m.id for m in catalogue if m.id and m.string and placeholders(m.id) != placeholders(m.string)]
    assert not wrong


def test_translations_keep_their_shape(catalogue):
    """Paragraphs, list items and bold words are kept, so that both languages look alike on the page."""
    for m in catalogue:
        if m.id and m.string:
            assert m.id.count("\n") == m.string.count("\n"), m.id
            assert m.id.count("**") == m.string.count("**"), m.id
            assert m.id[0].isspace() == m.string[0].isspace(), m.id
            assert m.id[-1].isspace() == m.string[-1].isspace(), m.id


@pytest.mark.parametrize("path", extract.files(), ids=lambda path: path.relative_to(extract.ROOT).as_posix())
def test_sentences_are_literal(path):
    """A sentence put together in code (f-string, +, format, if-else) cannot be found and translated."""
    if path.suffix != ".py" or path.parent.name == "i18n":
        pytest.skip("not a module with sentences")
    for call in (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in ("t", "sentence") and call.args:
            first = call.args[0]
            made = isinstance(first, ast.JoinedStr | ast.BinOp | ast.IfExp) or (
                isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "format"
            )
            assert not made, f"{path.name}:{call.lineno}: the sentence is not one literal"
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                given = {keyword.arg for keyword in call.keywords}
                if None not in given and call.func.id == "t":
                    assert placeholders(first.value) <= given, f"{path.name}:{call.lineno}: a placeholder is not given"


def test_numbers_dates_and_nested_sentences_follow_the_language(portuguese, monkeypatch):
    monkeypatch.setattr(i18n, "_catalogue", lambda lang: {"{n} pictures": "{n} imagens"} if lang == "pt_BR" else {})
    assert t("{n} pictures", n=1234.5) == "1.234,5 imagens"
    assert str(sentence("{n} pictures", n=1234.5)) == "1,234.5 pictures"
    assert t(sentence("Found: {what}", what=sentence("{n} pictures", n=2))) == "Found: 2 imagens"
    assert translate(sentence("{n} pictures", n=2).model_dump()) == "2 imagens"
    assert number(0.5, 2) == "0,50"
    assert t("rate {n}", n=0.0004) == "rate 0,0004", "small numbers keep their first digits"
    assert percent(0.934) == "93,4 %"
    assert "2026" in format_moment(datetime(2026, 11, 23, 9, 30))
    assert t(Sentence(text="No such sentence")) == "No such sentence"


def test_what_is_stored_keeps_what_it_says_in_both_languages(portuguese, monkeypatch):
    monkeypatch.setattr(i18n, "_catalogue", lambda lang: {"{n} pictures": "{n} imagens"} if lang == "pt_BR" else {})
    stored = sentence("Found: {what}", what=sentence("{n} pictures", n=2)).model_dump()
    monkeypatch.setattr(i18n, "_catalogue", lambda lang: {})  # the sentence was reworded since
    assert translate(stored) == "Found: 2 imagens"
    assert translate(read_again := Sentence.model_validate(stored).model_dump()) == "Found: 2 imagens"
    assert read_again == stored


def test_sentences_of_earlier_releases_stay_translated(tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "PO", tmp_path / "pt_BR.po")
    monkeypatch.setattr(extract, "sentences", lambda: {"{n} pictures": {"app.py"}})
    assert not extract.update({"{n} pictures": "{n} imagens"})
    monkeypatch.setattr(extract, "sentences", lambda: {"{n} images": {"app.py"}})
    assert extract.update() == ["{n} images"]
    assert extract.translations() == {"{n} pictures": "{n} imagens"}
    with extract.PO.open("rb") as file:
        assert set(read_po(file).obsolete) == {"{n} pictures"}


def test_an_unknown_language_falls_back_to_english():
    set_language_provider(lambda: "xx")
    assert i18n.language() == "en"
    set_language_provider(lambda: "en")
    assert match_locale("pt-BR") == match_locale("pt-PT") == "pt_BR"
    assert match_locale("de") == match_locale(None) == "en"
    assert set(LANGUAGES) == {"en", "pt_BR"}
