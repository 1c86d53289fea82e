"""Pre-training on the pages: its curve on Train and Compare, a button that publishes its network, what it asks for."""

# ruff: noqa: F811  (fixtures of the other file)
from __future__ import annotations

from tests.test_ui_pages import click, filled, home, opened, said  # noqa: F401
from tlcore import models, tasks
from tlcore.bundle.pretrained_source import FILE

TOLD = {
    "objective": "simclr",
    "start": "source",
    "set": "heap",
    "fingerprint": "f" * 16,
    "examples": 5_000,
    "left_out": 3,
    "epochs": 2,
    "seconds": 9.5,
    "losses": [3.0, 2.5],
    "notes": [],
    "source": True,
}


def pre_trained(filled):
    """The finished run of the seed, as if it had been pre-trained."""
    run = filled.runs["ends"]
    report = filled.store.runs.get(run).report
    report["cost"]["transfer"]["seconds_once"] = 9.5
    filled.store.runs.set(run, report={**report, "pre_training": TOLD})
    filled.store.runs.add_points(
        [
            {
                "run_id": run,
                "arm": "transfer",
                "seed": 0,
                "trial": "pre-training",
                "phase": 0,
                "epoch": epoch,
                "seconds": float(epoch),
                "values": {"train_loss": 3.0 - epoch},
            }
            for epoch in (1, 2)
        ]
    )
    (filled.store.runs.folder(run) / FILE).write_bytes(b"PK")
    return run


def titles(at):
    return " ".join(chart.proto.spec for chart in at.get("plotly_chart"))


def test_the_curve_of_pre_training_is_drawn_apart(filled):
    run = pre_trained(filled)
    for page in ("train", "compare"):
        assert "Loss of pre-training" in titles(opened(page, project=filled.project, run=run))
    assert "once for all seeds" in said(opened("compare", project=filled.project, run=run))


def test_a_run_without_it_has_no_such_curve_and_no_such_button(filled):
    at = opened("share", project=filled.project, run=filled.runs["ends"])
    assert "publish-pre-trained" not in {button.key for button in at.button}
    at = opened("train", project=filled.project, run=filled.runs["ends"])
    assert "Loss of pre-training" not in titles(at)


def test_the_network_is_published_beside_the_model_and_is_a_source(filled):
    run = pre_trained(filled)
    at = click(opened("share", project=filled.project, run=run), "publish-pre-trained")
    (model,) = filled.store.models.all()
    assert f"library/{model.id}" in said(at)
    assert {"publish-go"} <= {button.key for button in at.button}, "the trained model can still be published"
    assert model.about["pre_training"]["examples"] == 5_000
    found = models.find(f"library/{model.id}", filled.store)
    assert "image-classification" in {task.id for task in tasks.served_by(found)}
    assert "5,000" in said(opened("library"))


def test_the_strategy_asks_for_one_of_two_sets(filled):
    at = opened("strategy", project=filled.project)
    at.button_group(key=f"strategy-{filled.project}").set_value("pre-training-then-fine-tuning").run()
    assert not at.exception
    result = said(at)
    assert "A larger set of your field, without labels" in result
    assert "A larger set of your field with labels" in result
    assert "data.unlabelled" in result, "the plan says what is missing"
    assert at.selectbox(key=f"s-pre-training-then-fine-tuning-start-{filled.project}").value == "source"
