"""Ranking: every source measured once, the best first, and one that fails stops nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sources_models import write_timm

from tlcore import guidance, tasks
from tlcore.core.spec_parts import Options
from tlcore.guidance import measurement as evidence_module
from tlcore.guidance.ranking import ESTIMATES, scores
from tlcore.models import uploads

TASK = tasks.find("image-classification")
SMALL = Options(image_size=32)


@pytest.fixture
def folders(tmp_path):
    return [str(write_timm(name, tmp_path / name)) for name in ("test_resnet", "test_efficientnet")]


def test_all_are_ranked_and_a_broken_one_is_listed(dataset, store, folders, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folders[0], broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    said = []
    rows = guidance.rank(
        dataset,
        TASK,
        [str(broken), *folders],
        store,
        SMALL,
        lambda share, sentence=None, **more: said.append((share, str(sentence))),
    )
    assert {row["id"] for row in rows[:2]} == set(folders)
    assert rows[0]["score"] >= rows[1]["score"]
    assert rows[2]["id"] == str(broken)
    assert rows[2]["score"] is None
    assert "safetensors" in rows[2]["problem"]["params"].get("problem", "") + rows[2]["problem"]["text"]
    for row in rows[:2]:
        low, high = row["probe"]["interval"]
        assert low <= row["probe"]["value"] <= high
        assert 0 <= row["score"] <= 1
        assert row["problem"] is None
    shares = [share for share, _ in said if share is not None]
    assert shares == sorted(shares)
    assert rows == guidance.kept_ranking(store, dataset.fingerprint)


def test_what_was_measured_is_not_measured_again_and_grows_thorough(dataset, store, folders, monkeypatch):
    guidance.rank(dataset, TASK, folders, store, SMALL)
    quick = guidance.kept(store, dataset.fingerprint, folders[0])
    assert not quick.thorough
    assert quick.size.learning_curve is None
    from tlcore import models
    from tlcore.guidance import feature_pass
    from tlcore.training import features

    result = models.open_source(folders[0], store)
    how = TASK.processor(result.preprocess, SMALL, dataset, "cpu")
    monkeypatch.setattr(features, "_pass", lambda *a, **k: pytest.fail("the backbone ran twice"))
    full = evidence_module.measure_with(dataset, TASK, result, how, store.home / "cache")
    assert full.thorough
    assert full.size.learning_curve is not None
    assert full.transferability["probe"] == quick.transferability["probe"]
    monkeypatch.setattr(feature_pass, "run_feature_pass", lambda *a, **k: pytest.fail("looked twice"))
    guidance.rank(dataset, TASK, folders, store, SMALL)
    assert guidance.kept(store, dataset.fingerprint, folders[0]).thorough, "a ranking takes nothing away"


def test_pictures_are_decoded_once_for_sources_that_see_them_alike(dataset, store, folders, tmp_path, monkeypatch):
    from tlcore.tasks.shared.image_examples import Canvases

    decoded = []
    real = Canvases._decode
    monkeypatch.setattr(Canvases, "_decode", lambda self, row: (decoded.append(row), real(self, row))[1])
    alike = str(write_timm("test_resnet", tmp_path / "alike", num_classes=12))
    assert len(guidance.rank(dataset, TASK, [folders[0], alike], store, SMALL)) == 2
    assert len(decoded) == dataset.info.n["train"] + dataset.info.n["validation"]


def test_scores_are_shares_of_the_others_beaten_over_the_estimates(dataset):
    def estimates(*values):
        evidence = evidence_module.measure(dataset)
        evidence.transferability = dict(
            zip(ESTIMATES, ({"value": values[0]}, {"value": values[1]}, *values[2:]), strict=True)
        )
        return evidence

    found = scores(
        {
            "a": estimates(0.9, 0.8, 1.0, 3.0),
            "b": estimates(0.8, 0.8, 2.0, None),
            "c": estimates(0.7, 0.6, 0.0, 2.0),
            "unknown": evidence_module.measure(dataset),
        }
    )
    # a beats: probe 2, neighbours 1.5, LogME 1, H-score 2, of 8
    assert found == {"a": 0.8125, "b": 0.5625, "c": 0.125, "unknown": None}
    assert scores({"alone": estimates(0.5, 0.5, 0.0, 0.0)}) == {"alone": 1.0}


def test_jobs_rank(dataset, store, folders):
    from tlcore.execution.foreground import run_here

    job = store.jobs.submit(
        "rank",
        "local",
        {"task": TASK.id, "dataset": dataset.fingerprint, "source": folders[0], "options": {"image_size": 32}},
    )
    done = run_here(store, job.id)
    assert done.state == "succeeded", done.error
    ids = {row["id"] for row in guidance.kept_ranking(store, dataset.fingerprint)}
    assert folders[0] in ids
    assert any(ref.startswith("bundled/") for ref in ids)
    assert done.output["ranked"] == len(ids)


def test_the_uploads_of_others_are_not_in_the_ranking(dataset, store, folders):
    made = uploads.add_upload(Path(folders[0]), store, "mine", "ana")
    guidance.rank(dataset, TASK, [made.id, "uploaded/gone"], store, SMALL)
    for owner, wanted in (("ana", {made.id}), ("bruno", set())):
        rows = guidance.kept_ranking(store, dataset.fingerprint, owner)
        assert {row["id"] for row in rows if row["id"].startswith("uploaded/")} == wanted
        assert (made.id in {one.id for one in guidance.reachable(TASK, store, owner)}) == bool(wanted)
