"""The chapters of Learn: each renders in both languages, and its pictures are sound."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from tlcore.core.i18n import LANGUAGES, set_language_provider, t
from tlcore.ui.learn import CHAPTERS, find, glossary
from tlcore.ui.learn.verdict import wilson

ROOT = Path(__file__).resolve().parents[1]
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = [chapter.render.__globals__["drawing"] for chapter in CHAPTERS if "drawing" in chapter.render.__globals__]


@pytest.fixture(params=list(LANGUAGES))
def language(request):
    set_language_provider(lambda: request.param)
    yield request.param
    set_language_provider(lambda: "en")


def show(chapter_id: str) -> None:
    from tlcore.ui.learn import find

    find(chapter_id).render()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.id)
def test_a_chapter_renders(chapter, language):
    page = AppTest.from_function(show, args=(chapter.id,), default_timeout=90).run()
    assert not page.exception
    words = " ".join(m.value for m in page.markdown)
    assert len(words) > 500
    assert "{" not in words


@pytest.mark.parametrize("drawing", DRAWN, ids=lambda drawing: drawing.__module__.rpartition(".")[2])
def test_words_in_a_drawing_stay_inside(drawing, language):
    """In both languages words fit their box and the picture."""
    picture = ElementTree.fromstring(drawing())
    width, height = float(picture.get("width")), float(picture.get("height"))
    boxes = 0
    pieces = list(picture)
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        if piece.tag == f"{SVG}rect":
            boxes += 1
            assert after.tag == f"{SVG}text"
            top, size = float(piece.get("y")), float(after.get("font-size"))
            rows = [(float(row.get("y")), row.text) for row in after]
            assert rows[0][0] - 0.75 * size >= top, rows
            assert rows[-1][0] + 0.2 * size <= top + float(piece.get("height")), rows
            assert max(len(text) for _, text in rows) * size * 0.58 <= float(piece.get("width")), rows
        if piece.tag == f"{SVG}text":
            for row in piece:
                long = len(row.text) * float(piece.get("font-size")) * 0.58
                x = float(row.get("x")) - {"start": 0, "middle": long / 2, "end": long}[piece.get("text-anchor")]
                assert x >= -2, row.text
                assert x + long <= width + 12, row.text
                assert 0 <= float(row.get("y")) <= height, row.text
    assert boxes or b"polyline" in ElementTree.tostring(picture) or b"circle" in ElementTree.tostring(picture)


def test_links_to_chapters_lead_to_one():
    ids = {chapter.id for chapter in CHAPTERS}
    linked = set()
    for path in (*(ROOT / "pages").glob("*.py"), *(ROOT / "tlcore" / "ui").glob("*.py")):
        linked |= set(re.findall(r"""learn_link\(\s*["']([\w-]+)["']""", path.read_text()))
    assert linked
    assert linked <= ids
    assert find("no such chapter") is CHAPTERS[0]
    assert find("verdict").id == "verdict"


def test_the_glossary_is_sorted_and_searched(language):
    page = AppTest.from_function(show, args=("glossary",), default_timeout=90).run()
    everything = [m.value for m in page.markdown]
    assert len(everything) == len(glossary.WORDS)
    plain = [glossary._without_accents(value) for value in everything]
    words = [value.split("**")[1] for value in plain]
    assert words == sorted(words)
    wanted = t(glossary.WORDS[0][0]).upper()
    page.text_input(key="learn_glossary_find").set_value(wanted).run()
    assert 0 < len(page.markdown) < len(everything)
    page.text_input(key="learn_glossary_find").set_value("xyzzy").run()
    assert not page.markdown
    assert "xyzzy" in page.caption[0].value


def test_the_interval_shown_is_wilsons():
    """Against published values: 0 of 10 gives (0, 0.2775); 90 of 100 gives (0.8256, 0.9448)."""
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(90, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
