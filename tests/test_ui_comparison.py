"""The deeper comparison on the pages: every part is shown in both languages, and a suggestion changes the draft."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import ui_seed
from test_ui_pages import LOCALES, opened, said

from tlcore.core.i18n import sentence
from tlcore.evaluation import calibration, operating_points
from tlcore.store import Store
from tlcore.tasks.image_classification.task import ImageClassification

TASK = ImageClassification()


def parts(beaten: bool) -> dict:
    """What a report of two classes holds, from outputs drawn at random."""
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(80, 2)), rng.integers(0, 2, 80)
    examples = SimpleNamespace(ids=[str(i) for i in range(80)], labels=truth, groups=np.arange(80))
    records = TASK.evaluate(logits, examples, {})
    result = {
        "temperature": 1.5,
        "reason": None,
        "bins": 15,
        "n_validation": 80,
        "n_test": 80,
        **calibration.describe(records, records, draws=50),
    }
    shares = (records.columns["probability"], truth)
    message = calibration.summary(result).model_dump()
    one = {"value": 0.5, "interval": [0.4, 0.6], "difference": {"value": 0.1, "interval": [-0.02, 0.2]}}
    row = {
        "kind": "cluster",
        "n": 12,
        "units": 12,
        "score": 0.5,
        "interval": [0.3, 0.7],
        "p": 0.001,
        "adjusted": 0.004,
        "difference": {"value": -0.3, "interval": [-0.4, -0.1]},
        "weak": True,
        "examples": [],
        "name": sentence("like {example}", example="a*b.png").model_dump(),
    }
    return {
        "naive": [
            {
                "id": "majority",
                "title": sentence("commonest class").model_dump(),
                "reason": None,
                "beaten": beaten,
                **one,
            }
        ],
        "calibration": result,
        "operating": operating_points.build(list(ui_seed.LABELS), shares, shares),
        "slices": {"by": "features", "fewest": 10, "rows": [row]},
        "explanation": {
            "kind": "negative",
            "signs": [{"id": "x", "about": "training", "sentence": sentence("Before training").model_dump()}],
            "suggestions": [
                {
                    "kind": "strategy",
                    "id": "fine-tuning",
                    "draft": {"strategy": "fine-tuning"},
                    "sentence": sentence(
                        "Measure which source models suit your data; it takes about a minute."
                    ).model_dump(),
                }
            ],
        },
        "sentences": {"calibration": message, "naive": message, "verdict": message},
    }


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open()
    fingerprint = ui_seed.dataset(store, tmp_path)
    project = ui_seed.project(store, fingerprint)
    runs = [ui_seed.run(store, project, fingerprint, name) for name in ("beaten", "not")]
    for run, beaten in zip(runs, (True, False), strict=True):
        ui_seed.finished(store, run, fingerprint, **parts(beaten))
    return SimpleNamespace(store=store, project=project, runs=runs)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("part", ["slices", "naive", "calibration"])
def test_each_part_is_shown(made, part, locale):
    at = opened("compare", locale, project=made.project, run=made.runs[0])
    at.session_state["compare-part"] = part
    at.run()
    assert not at.exception, at.exception
    if part == "slices":
        assert "a\\*b" in said(at)
    else:
        assert at.table or at.get("plotly_chart")


def test_what_a_one_liner_reaches_is_red(made):
    assert not opened("compare", project=made.project, run=made.runs[0]).error
    assert len(opened("compare", project=made.project, run=made.runs[1]).error) == 1


def test_a_suggestion_changes_the_draft(made):
    at = opened("compare", project=made.project, run=made.runs[0])
    button = next(one for one in at.button if one.key == "next-0")
    button.click().run()
    assert made.store.projects.get(made.project, "local").draft["strategy"] == "fine-tuning"


def test_what_can_be_seen_is_said_before_training(made):
    assert "cannot be seen" in said(opened("strategy", project=made.project))


def test_curves_are_drawn_once(made, monkeypatch):
    from tlcore.store.runs import Runs

    opened("compare", project=made.project, run=made.runs[0])
    asked = []
    monkeypatch.setattr(Runs, "points", lambda self, run: asked.append(run))
    at = opened("compare", project=made.project, run=made.runs[0])
    assert at.get("plotly_chart")
    assert asked == []
