"""Whatever table of texts is uploaded: a sentence with the row, or rows set aside; no other exception, nothing outside
of staging, and no value of a person's in what is said."""

from __future__ import annotations

import os

import pytest
from hostile.texts import CASES
from test_data_hostile import OUTSIDE, _snapshot

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.data.staging import Staged, stage


def test_there_are_forty_cases():
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_table_of_texts(case, tmp_path):
    upload, staging = tmp_path / "upload", tmp_path / "staging"
    upload.mkdir()
    staging.mkdir()
    source = upload / case.file
    source.write_bytes(case.content() if callable(case.content) else case.content)
    before = _snapshot(tmp_path, staging)
    result = {"task": tasks.find("text-classification"), "folder": staging / "job", "columns": case.columns}
    if case.refused:
        with pytest.raises(UnusableInput) as refusal:
            stage(source, **result)
        assert refusal.value.code == case.refused
        assert refusal.value.row == case.row or case.row is None
        said = t(refusal.value.sentence)
        assert not (staging / "job" / "staged.json").exists()
    else:
        stage(source, **result)
        found = Staged.open(staging / "job", result["task"])
        aside = found.set_aside()
        said = "\n".join([*(t(f.sentence) for f in found.findings), *(t(one.reason) for one in aside)])
        assert len(found.rows) == case.n, said
        assert set(case.aside) <= {one.row for one in aside}, said
        assert set(case.found) <= {finding.code for finding in found.findings}, said
        assert {p.name for p in (staging / "job").iterdir()} == {
            "staged.json",
            "rows.parquet",
            "set_aside.json",
            "files",
        }
        assert not list((staging / "job" / "files").iterdir())
    assert said.strip()
    assert case.said in said
    assert "Traceback" not in said
    assert _snapshot(tmp_path, staging) == before
    assert not any(os.path.exists(path) for path in OUTSIDE)
