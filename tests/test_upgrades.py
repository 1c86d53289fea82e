"""A workspace of an earlier release, opened by this one, shows what it showed then (tests/upgrades)."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("upgrades")
sys.path.append(str(FOLDER))

from shown import shown  # noqa: E402

RELEASES = sorted(path.name for path in FOLDER.iterdir() if (path / "workspace.zip").is_file())
# Texts of the pages that were reworded since, in each language: {language: {then: now}}. Reports are never in here.
REWORDED: dict[str, dict[str, str]] = json.loads((FOLDER / "reworded.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=RELEASES)
def both(request, tmp_path_factory) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """What was shown then, what is shown now, and where the workspace lies now."""
    home = tmp_path_factory.mktemp("upgraded") / "workspace"
    with zipfile.ZipFile(FOLDER / request.param / "workspace.zip") as archive:
        archive.extractall(home)
    golden = json.loads((FOLDER / request.param / "golden.json").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLCORE_HOME", str(home))
        patch.delenv("TLCORE_DATABASE_URL", raising=False)
        patch.setenv("HF_HUB_OFFLINE", "1")
        return golden, json.loads(json.dumps(shown(home))), home


def reworded(lines: list[str], language: str) -> list[str]:
    found = []
    for line in lines:
        for then, now in REWORDED[language].items():
            line = line.replace(then, now)
        found.append(line)
    return found


def test_reports_are_the_same(both):
    then, now, home = both
    for name, report in then["reports"].items():
        held = now["reports"][name]
        bundle = Path(held.pop("bundle"))
        assert bundle.is_file()
        assert bundle.is_relative_to(home)
        report.pop("bundle")
        assert {key: held[key] for key in report} == report, name


def test_reports_keep_what_they_say_in_both_languages(both):
    then, now, _ = both
    assert now["sentences"] == then["sentences"]


def test_the_command_line_answers_the_same(both):
    then, now, _ = both
    for key in ("refused", "sources", "resumed"):
        assert now[key] == then[key]
    for key in ("tasks", "strategies"):
        held = {one["id"]: one for one in now[key][key]}
        for one in then[key][key]:
            again = held[one["id"]]
            assert set(one) <= set(again)
            result = [json.dumps({name: row[name] for name in one}, sort_keys=True) for row in (one, again)]
            assert reworded(result[:1], "en") == result[1:]


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_the_pages_show_the_same(both, language):
    then, now, _ = both
    pages = {name: lines for name, lines in then["pages"].items() if name.endswith(f" · {language}")}
    assert len(pages) > 10
    for name, lines in {**pages, "library": then["library"][language]}.items():
        held = now["library"][language] if name == "library" else now["pages"][name]
        missing = [line for line in reworded(lines, language) if line not in held]
        assert not missing, f"{name}: no longer shown"
        assert len(held) >= len(lines)
