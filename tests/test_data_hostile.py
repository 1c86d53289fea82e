"""Whatever is uploaded: a sentence or a set-aside file, never another exception, and nothing outside of staging."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hostile.uploads import CASES

from tlcore.data.staging import Staged, stage
from tlcore.errors import UnusableInput
from tlcore.words import t

OUTSIDE = ("/tmp/evil.png", "/tmp/tlcore-was-here", "/evil.png")


def _snapshot(root: Path, but: Path) -> dict[str, str]:
    """Every path below ``root`` outside of ``but``, with its content."""
    found = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == but:
            folders.clear()
            continue
        for name in (*folders, *files):
            path = Path(folder) / name
            regular = path.is_file() and not path.is_symlink()
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if regular else "–"
    return found


def test_there_are_sixty_cases():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_upload(case, tmp_path):
    upload, staging = tmp_path / "upload", tmp_path / "staging"
    upload.mkdir()
    staging.mkdir()
    (tmp_path / "evil.png").write_bytes(b"mine")  # where a slip would land
    source = case.build(upload)
    before = _snapshot(tmp_path, staging)
    try:
        staged = stage(source, task="image-classification", folder=staging / "job", **case.kwargs)
    except UnusableInput as refusal:
        assert refusal.code == case.refused, refusal
        assert case.file is None or case.file in (refusal.file or ""), refusal
        assert t(refusal.sentence).strip()
        assert case.file is None or case.file in t(refusal.sentence), refusal
        assert not (staging / "job" / "staged.json").exists()
    else:
        assert case.refused is None, [str(f.sentence) for f in staged.findings]
        _staged_as_expected(case, staged)
        _only_known_files(staging / "job", Staged.open(staging / "job"))
    assert _snapshot(tmp_path, staging) == before
    assert not any(os.path.exists(path) for path in OUTSIDE)


def _staged_as_expected(case, staged: Staged) -> None:
    aside = [item.file for item in staged.set_aside()]
    assert case.n is None or len(staged.rows) == case.n, aside
    assert case.usable is None or staged.usable == case.usable, staged.findings
    for name in case.aside:
        assert any(name in file for file in aside), (name, aside)
    codes = {finding.code for finding in staged.findings}
    assert set(case.found) <= codes
    for finding in staged.findings:
        assert t(finding.sentence).strip()
        assert finding.level == "note" or finding.count == 0 or finding.examples
    if case.aside:
        assert "set-aside" in codes | {"nothing-usable"} or codes & {"leakage", "conflict", "duplicate"}


def _only_known_files(folder: Path, staged: Staged) -> None:
    """Staging holds the four things of its own, and below files/ only names made of hashes."""
    assert {p.name for p in folder.iterdir()} == {"staged.json", "rows.parquet", "set_aside.json", "files"}
    kept = {p.relative_to(folder / "files").as_posix() for p in (folder / "files").rglob("*") if p.is_file()}
    assert set(staged.rows["file"]) <= kept
    for name in kept:
        first, second = name.split("/")
        assert second.startswith(first)
        assert set(second.split(".")[0]) <= set("0123456789abcdef")
