"""Whatever is uploaded: a sentence or a file set aside, no other exception, nothing outside of staging."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hostile.uploads import CASES

from tlcore import spec, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.data.staging import Staged, stage

TASK = tasks.find("image-classification")

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
    if case.refused:
        with pytest.raises(UnusableInput) as refusal:
            stage(source, task=TASK, folder=staging / "job", **case.kwargs)
        assert refusal.value.code == case.refused
        assert case.file in (None, refusal.value.file)
        assert t(refusal.value.sentence).strip()
        assert case.file is None or case.file in t(refusal.value.sentence)
        assert not (staging / "job" / "staged.json").exists()
    else:
        staged = stage(source, task=TASK, folder=staging / "job", **case.kwargs)
        _staged_as_expected(case, staged)
        _only_known_files(staging / "job", Staged.open(staging / "job", TASK))
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


SPECS = {
    "python object": "task: !!python/object/apply:os.system ['touch /tmp/tlcore-was-here']",
    "python name": "task: !!python/name:os.system",
    "unknown tag": "task: !spec {a: 1}",
    "alias bomb": "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\n",
    "merge bomb": "a: &a {x: 1}\ntask: {<<: *a}",
    "recursive alias": "task: &a [*a]",
    "deep nesting": "task: " + "[" * 20_000,
    "deep mapping": "\n".join(" " * i + "a:" for i in range(600)),
    "huge": "# " + "x" * 1_100_000,
    "not a mapping": "- task\n- data",
    "empty": "",
    "tabs": "task:\t- a\n\tb",
    "two documents": "task: a\n---\ntask: b",
    "control characters": "task: \x00\x07",
    "wrong types": "task: [1, 2]\ndata: {path: {a: 1}}",
    "data is text": "task: image-classification\ndata: photos.zip",
    "unknown field": "task: image-classification\ndata: {path: a.zip}\nexec: rm",
    "unknown field inside": "task: image-classification\ndata: {path: a.zip, shell: rm}",
    "two places": "task: image-classification\ndata: {path: a.zip, dataset: abc}",
    "no place": "task: image-classification\ndata: {}",
    "split that leaves nothing": "task: a\ndata: {path: a, split: {validation: 0.5, test: 0.5}}",
    "not a number": "task: a\ndata: {path: a, split: {validation: .nan, test: 0.1}}",
    "infinite": "task: a\ndata: {path: a}\nbudget: {minutes: .inf}",
    "negative epochs": "task: a\ndata: {path: a}\nbudget: {epochs: -1}",
    "seeds beyond": "task: a\ndata: {path: a}\nseeds: 10000000000000000000000",
    "number of a thousand digits": "task: a\ndata: {path: a}\nseeds: " + "9" * 5000,
    "unhashable key": "{[a]: b}",
    "date that is none": "task: 2026-99-99",
    "broken UTF surrogate": "task: \ud800",
}


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS.keys())
def test_hostile_spec(text):
    with pytest.raises(UnusableInput) as refusal:
        spec.from_yaml(text, file="spec.yaml")
    assert refusal.value.code == "spec"
    assert refusal.value.file == "spec.yaml"
    assert t(refusal.value.sentence).strip()
    assert not any(os.path.exists(path) for path in OUTSIDE)
