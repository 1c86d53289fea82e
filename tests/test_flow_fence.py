"""A run whose first attempt wakes after the second one has finished: the finished run stays as it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tlcore import flow
from tlcore.core.errors import StudioError
from tlcore.spec import from_dict
from tlcore.store import Store


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("sentence", ["Writing the report", "Packing the model for download"])
def test_an_attempt_that_wakes_after_the_next_one_has_finished(photos, tiny_source, tmp_path, sentence):
    store = Store.open(tmp_path / "home")
    spec = from_dict(
        {
            "name": "patterns",
            "task": "image-classification",
            "data": {"path": str(photos)},
            "source": str(tiny_source),
            "strategy": "feature-extraction",
            "seeds": 1,
            "baseline": "none",
            "options": {"image_size": 32, "batch_size": 16},
        }
    )
    run = store.runs.create(spec, "local")
    finished = {}

    def sleeps(share, words=None, **more):
        """At this sentence the lease runs out, and another attempt does the whole run."""
        if not finished and words is not None and words.text == sentence:
            assert store.jobs.interrupt(run.id, 1)
            assert store.jobs.take(run.id, "other:1:1.0")
            finished["output"] = flow.work(store, store.jobs.get(run.id), lambda *args, **more: None)
            assert store.jobs.finish(run.id, 2, "succeeded", output=finished["output"])
            finished["report"] = store.runs.get(run.id).report
            finished["files"] = contents(store.runs.folder(run.id))
            finished["points"] = len(store.runs.points(run.id))

    assert store.jobs.take(run.id, "here:1:1.0")
    with pytest.raises(StudioError) as result:
        flow.work(store, store.jobs.get(run.id), sleeps)
    assert result.value.code == "attempt-lost"
    assert store.runs.get(run.id).report == finished["report"]
    assert contents(store.runs.folder(run.id)) == finished["files"]
    assert len(store.runs.points(run.id)) == finished["points"]
    store.close()
