"""SIGKILL in the phases and arms of every strategy: the worker goes on, and the report is the undisturbed run's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import text_models

from tests.conftest import draw, write_photos
from tests.killed_runs import kills
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.tables import SUCCEEDED, TERMINAL

PICTURES = {"image_size": 32, "batch_size": 8, "learning_rate": 2e-3}
TEXTS = {"batch_size": 8, "learning_rate": 2e-3}
OF_TEXTS = {"task": "text-classification", "source": "bert", "options": TEXTS}


def at(arm: str, phase: int | str, *, seed: int = 0, later: int = 0, **more: object) -> dict[str, object]:
    """A place to die: at the end of an epoch of a phase (a number), or where a phase (its kind) begins; or so many
    optimiser steps ``later``.
    """
    return {"arm": arm, "phase": phase, "seed": seed, "later": later, **more}


TWIN = at("twin", 0, seed=1, epoch=1, later=2, trial="final")
BEFORE = {"trial": "pre-training"}

# For each: what is asked for, and where the attempts die, in order.
CASES = {
    "pre-training on pictures": (
        {"strategy": "pre-training-then-fine-tuning", "data": {"path": "photos", "unlabelled": "heap"}},
        [
            at("transfer", 0, epoch=1, later=2, **BEFORE),
            at("transfer", 0, epoch=3, **BEFORE),
            at("transfer", 1, seed=1, epoch=2),
            at("plainer", 0, epoch=1, later=1),
            TWIN,
        ],
    ),
    "pre-training on texts, a head, all layers": (
        {
            "strategy": "pre-training-then-fine-tuning",
            **OF_TEXTS,
            "strategy_options": {"then": "linear-probe-then-fine-tune", "start": "random"},
            "data": {"path": "texts.csv", "unlabelled": "bare.txt"},
        },
        [
            at("transfer", 0, epoch=2, later=1, **BEFORE),
            at("transfer", "solve"),
            at("transfer", 3, epoch=1, later=1),
            at("plainer", "extract"),
            TWIN,
        ],
    ),
    "mean teacher": (
        {
            "strategy": "domain-adaptation",
            "strategy_options": {"method": "mean-teacher"},
            "data": {"path": "photos", "unlabelled": "heap"},
        },
        [
            at("transfer", 0, epoch=1, later=3),
            at("transfer", 0, seed=1, epoch=2, later=1),
            at("plainer", 0, seed=1, epoch=2),
            TWIN,
        ],
    ),
    "adversarial adaptation": (
        {
            "strategy": "domain-adaptation",
            "strategy_options": {"method": "cdan"},
            **OF_TEXTS,
            "data": {"path": "texts.csv", "unlabelled": "bare.txt"},
        },
        [at("transfer", 0, epoch=2, later=1), at("plainer", 0, epoch=1), TWIN],
    ),
    "several tasks by uncertainty": (
        {
            "strategy": "multi-task-learning",
            "strategy_options": {"weighting": "uncertainty"},
            "data": {"path": "two", "columns": {"also": "shade"}},
        },
        [
            at("transfer", 0, epoch=1, later=2),
            at("plainer", 0, epoch=2),
            at("alone-0", 0, seed=1, epoch=1, later=1),
            TWIN,
        ],
    ),
    "gradual unfreezing": (
        {"strategy": "gradual-unfreezing", "data": {"path": "photos"}, "budget": {"epochs": 6}},
        [at("transfer", "extract"), at("transfer", 2, epoch=1, later=1), at("transfer", 4, epoch=0, later=2), TWIN],
    ),
    "LoRA": (
        {"strategy": "lora", **OF_TEXTS, "options": {**TEXTS, "learning_rate": "auto"}, "data": {"path": "texts.csv"}},
        [at("transfer", 0, epoch=1, trial="0.0016"), at("transfer", 0, seed=1, epoch=2, later=1, trial="final"), TWIN],
    ),
    "contrastive, then a head": (
        {"strategy": "contrastive-then-head", **OF_TEXTS, "data": {"path": "texts.csv"}},
        [at("transfer", 0, epoch=1, later=1), at("transfer", "extract"), at("transfer", "solve", seed=1), TWIN],
    ),
    "soup and a pull to the source": (
        {
            "strategy": "fine-tuning",
            "strategy_options": {"soup": True, "pull_to_source": 0.01},
            "data": {"path": "photos"},
            "budget": {"epochs": 5},
        },
        [at("transfer", 0, epoch=3, later=2), at("transfer", 0, seed=1, epoch=4), TWIN],
    ),
}


@pytest.fixture(scope="module")
def things(tmp_path_factory, tiny_source) -> dict[str, str]:
    """What the Specs name: small sets and sources, by name."""
    folder = tmp_path_factory.mktemp("things")
    write_photos(folder / "photos", 14, side=32)
    two = folder / "two"
    two.mkdir()
    (folder / "heap").mkdir()
    lines = ["image,label,shade"]
    for at in range(42):
        kind, shade = ("across", "down", "dots")[at % 3], ("dark", "light")[at // 3 % 2]
        picture = draw(kind, at, 32).point(lambda value, light=shade == "light": value // 2 + (110 if light else 0))
        picture.save(two / f"{at}.png")
        lines.append(f"{at}.png,{kind},{shade}")
        draw(kind, 5_000 + at, 32).point(lambda value: value // 2).save(folder / "heap" / f"{at}.png")
    (two / "labels.csv").write_text("\n".join(lines))
    rows = text_models.sentences(120)
    text_models.write_table(folder / "texts.csv", rows[:60])
    (folder / "bare.txt").write_text("\n".join(text for text, _ in rows[60:]))
    text_models.write_model(folder / "bert")
    return {"tiny": str(tiny_source), **{one.name: str(one) for one in folder.iterdir()}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Store:
    """A workspace with a worker on it."""
    store = Store.open(tmp_path_factory.mktemp("killed") / "workspace")
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.killed_runs", str(store.home)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TLCORE_CHECKPOINT_SECONDS": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield store
    worker.terminate()
    worker.wait(timeout=20)


def asked(case: str, things: dict[str, str]) -> dict[str, object]:
    """The Spec of a case, with the paths of what it names."""
    result = {
        "name": case,
        "task": "image-classification",
        "source": "tiny",
        "seeds": 2,
        "budget": {"epochs": 3},
        "options": PICTURES,
        **CASES[case][0],
    }
    data = {
        name: things.get(value, value) if isinstance(value, str) else value for name, value in result["data"].items()
    }
    return {**result, "source": things[result["source"]], "data": data}


def ended(store: Store, run_id: str) -> object:
    until = time.monotonic() + 120
    while (job := store.jobs.get(run_id)).state not in TERMINAL and time.monotonic() < until:
        time.sleep(0.05)
    log = (store.jobs.folder(run_id) / "log.txt").read_text(errors="replace")
    assert job.state == SUCCEEDED, (job.state, job.error, log[-3000:])
    return job


def left(store: Store, run_id: str) -> dict[str, object]:
    """What a run left that has no time in it: scores, choices, what hooks measured, and all weights."""
    report, folder = store.runs.get(run_id).report, store.runs.folder(run_id)
    found = {name: report.get(name) for name in ("difference", "verdict", "tasks", "n_test", "metric")}
    for arm in ("transfer", "baseline", "plainer"):
        one = report.get(arm) or {}
        found[arm] = [one.get(name) for name in ("value", "interval", "metrics", "epochs")]
        found[f"{arm} by seed"] = [(seed["best_epoch"], seed["metrics"]) for seed in one.get("per_seed", ())]
    for path in sorted((folder / "arms").glob("*/seed-*/result.json")):
        result, name = json.loads(path.read_text()), str(path.parent.relative_to(folder / "arms"))
        found[name] = {key: result[key] for key in ("measured", "learning_rate", "best_epoch", "validation", "train")}
        found[f"{name} weights"] = hashlib.sha256((path.parent / "weights/model.safetensors").read_bytes()).hexdigest()
    return found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("case", CASES)
def test_kills_change_nothing(case, things, workspace):
    spec, places = from_dict(asked(case, things)), CASES[case][1]
    calm = workspace.runs.create(spec, "local")
    ended(workspace, calm.id)
    expected = left(workspace, calm.id)
    spec = spec.model_copy(update={"name": f"{case}, killed"})
    kills(workspace, spec.name).write_text(json.dumps(places))
    run = workspace.runs.create(spec, "local")
    job = ended(workspace, run.id)
    log = (workspace.jobs.folder(run.id) / "log.txt").read_text(errors="replace")
    assert job.attempt == len(places) + 1, log
    assert log.count("killed at") == len(places)
    now = left(workspace, run.id)
    assert now.keys() == expected.keys()
    for name, value in expected.items():
        assert now[name] == value, name
