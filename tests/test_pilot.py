"""The pilot race: who goes on, what is kept, that a kill changes nothing and that test data are never looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_ui_pages import filled, home, opened, said  # noqa: F401  (fixtures)

from tlcore import guidance, tasks
from tlcore.core.i18n import sentence
from tlcore.data.dataset import Dataset
from tlcore.evaluation.records import Metric, Records
from tlcore.execution.foreground import run_here
from tlcore.execution.job_kinds import pilot as race_job
from tlcore.guidance import pilot
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.tables import CANCELLED, FAILED, SUCCEEDED
from tlcore.training.job_progress import Tally

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# --- who goes on ---------------------------------------------------------------------------------------------------


def test_the_better_half_goes_on_and_who_is_near():
    scores = {"a": (0.9, -0.1), "b": (0.9, -0.2), "c": (0.8, -0.1), "d": (0.7, -0.1), "e": (0.6, 0.0)}
    far = dict.fromkeys(scores, False)
    assert pilot.survivors(scores, far) == ["a", "b", "c"]
    assert pilot.survivors(scores, {**far, "e": True}) == ["a", "b", "c", "e"]
    assert pilot.survivors({"a": (0.5, -1.0), "b": (0.5, -0.5)}, far) == ["b"], "the loss breaks ties"


def test_rungs_grow_by_three_and_end_at_the_whole():
    assert pilot.rounds(36) == [4, 12, 36]
    assert pilot.rounds(8) == [3, 3, 8]
    assert pilot.rounds(2) == [2, 2, 2]
    assert pilot.rounds(0) == [0]


class Right:
    metrics = (Metric("accuracy", sentence("accuracy")),)

    def aggregate(self, records, weights, target):
        return {"accuracy": (weights @ records.columns["right"]) / weights.sum(axis=1)}


class Fake:
    """What a runner trains with: nothing. Answers are given by (strategy, epochs)."""

    def __init__(self, epochs: int):
        self.task, self.target, self.metric = Right(), {}, Right.metrics[0]
        phases = [{"kind": "train", "epochs": epochs}] if epochs else [{"kind": "solve"}]
        arm = {"phases": phases, "rates": [0.1, 0.2] if epochs else []}
        self.plan = {"arms": {"transfer": arm}, "n_train": 10}


def runner(strategy: str, epochs: int, right, seen: list) -> race_job._Runner:
    one = race_job._Runner(strategy, Fake(epochs))

    def train(rate, length):
        seen.append((strategy, rate, length))
        answers = np.zeros(400)
        answers[: right(rate, length)] = 1
        records = Records([str(i) for i in range(400)], np.arange(400), {"right": np.roll(answers, 37 * len(strategy))})
        score = float(answers.mean())
        return race_job._Score(rate, records, score, (score, -0.5), 0.5, 1.0)

    one._one = train
    return one


def test_a_race_with_a_known_course():
    """Fine-tuning starts behind and would win; it is far behind after the first rung and is dropped there."""
    seen: list = []
    runners = [
        runner("feature-extraction", 0, lambda rate, n: 300, seen),
        runner("fine-tuning", 36, lambda rate, n: {4: 200, 12: 390, 36: 400}[n] if rate == 0.2 else 100, seen),
        runner("linear-probe-then-fine-tune", 36, lambda rate, n: {4: 310, 12: 330, 36: 380}[n], seen),
    ]
    result = race_job._pilot(runners, Tally(lambda *a, **k: None))
    by_id = {one["strategy"]: one for one in result["candidates"]}
    assert (result["winner"], result["clear"], result["runner_up"]) == ("linear-probe-then-fine-tune", True, None)
    assert by_id["fine-tuning"]["dropped_at"] == 1
    assert by_id["fine-tuning"]["rate"] == 0.2, "the rate that did best in the first rung"
    assert by_id["feature-extraction"]["dropped_at"] == 2
    assert ("fine-tuning", 0.1, 4) in seen
    assert not [one for one in seen if one[0] == "fine-tuning" and one[2] > 4]
    winner = by_id["linear-probe-then-fine-tune"]["rungs"]
    assert [rung["epochs"] for rung in winner] == [4, 12], "who is left alone has won"
    assert winner[-1]["score"] == pytest.approx(330 / 400)
    assert winner[-1]["interval"][0] < 330 / 400 < winner[-1]["interval"][1]
    assert result["seconds"] == 1 + 2 + 2 + 0 + 1, "a second for each training; a head is solved once"


def test_who_is_within_noise_is_not_dropped():
    """One point of 400 behind is within a standard error of the paired difference; a hundred are not."""
    seen: list = []
    runners = [
        runner("feature-extraction", 0, lambda rate, n: 300, seen),
        runner("fine-tuning", 36, lambda rate, n: 299, seen),
        runner("linear-probe-then-fine-tune", 36, lambda rate, n: 298, seen),
    ]
    result = race_job._pilot(runners, Tally(lambda *a, **k: None))
    assert [one["dropped_at"] for one in result["candidates"]] == [None, None, None]
    assert result["winner"] == "feature-extraction"
    assert not result["clear"]


@pytest.mark.parametrize(("first", "last", "near"), [(50, 341, True), (50, 331, False), (0, 300, True)])
def test_near_is_one_standard_error_of_the_paired_difference(first, last, near):
    """The leader has units 0 to 300 right, the other one ``first`` to ``last``; by McNemar's formula the difference has
    the variance (b + c - (b - c)^2 / n) / n^2, with b and c the units that only one of them has right."""
    only_leader, only_other = first, last - 300
    error = np.sqrt(only_leader + only_other - (only_leader - only_other) ** 2 / 400) / 400
    assert ((only_leader - only_other) / 400 <= error) == near

    def score(begin, end):
        answers = np.zeros(400)
        answers[begin:end] = 1
        ids = [str(i) for i in range(400)]
        share = (end - begin) / 400
        return race_job._Score(None, Records(ids, np.arange(400), {"right": answers}), share, (share, 0.0), 0.0, 0.0)

    runners = [runner("a", 0, None, []), runner("b", 0, None, [])]
    assert race_job._near(runners, {"a": score(0, 300), "b": score(first, last)}) == {"a": True, "b": near}


# --- a real race ----------------------------------------------------------------------------------------------------


def asked_for(dataset, source, **changes):
    spec = from_dict(
        {
            "task": "image-classification",
            "data": {"dataset": dataset.fingerprint},
            "source": str(source),
            "budget": {"epochs": 4},
            "options": {"image_size": 32, "batch_size": 8},
            **changes,
        }
    )
    return pilot.request(spec, dataset.fingerprint)


def scores_of(result):
    return [
        (
            one["strategy"],
            one["rate"],
            one["dropped_at"],
            [(r["epochs"], r["score"], r["interval"], r["loss"]) for r in one["rungs"]],
        )
        for one in result["candidates"]
    ]


def test_a_small_race_and_what_is_kept(store, dataset, tiny_source, monkeypatch):
    looked = []
    split = Dataset.split
    monkeypatch.setattr(Dataset, "split", lambda self, name: looked.append(name) or split(self, name))
    asked = asked_for(dataset, tiny_source)
    job = store.jobs.submit("race", "local", asked, lane="train")
    sentences = []
    done = run_here(store, job.id, lambda share, message, **more: sentences.append(str(message)))
    assert done.state == SUCCEEDED, done.error
    assert "test" not in looked
    assert not list((store.home / "cache" / "features").glob("*-test*")), "test data are not even embedded"
    result = pilot.kept(store, asked)
    assert done.output["winner"] == result["winner"]
    assert {one["strategy"] for one in result["candidates"]} == set(
        pilot.candidates(tasks.find("image-classification"))
    )
    assert "scratch" not in pilot.candidates(tasks.find("image-classification"))
    assert "scratch" in pilot.candidates(tasks.find("image-classification"), scratch=True)
    assert result["n_own"] == len(dataset.split("validation"))
    assert any("Round 1 of 3" in one for one in sentences)
    for one in result["candidates"]:
        for rung in one["rungs"]:
            assert rung["interval"][0] <= rung["score"] <= rung["interval"][1]
    assert guidance.kept_pilot(store, dataset.fingerprint, str(tiny_source)) == result
    assert guidance.kept_pilot(store, dataset.fingerprint, "bundled/other") is None
    other = {**asked, "spec": {**asked["spec"], "budget": {"epochs": 5}}}
    assert pilot.kept(store, other) is None, "other options are another race"
    assert [path.suffix for path in (store.home / "cache" / "races").iterdir()] == [".json"]


def test_the_solved_head_scores_what_the_run_scores(store, dataset, tiny_source):
    """Feature extraction in the race, against the same head fitted here from the kept features."""
    asked = asked_for(dataset, tiny_source)
    run_here(store, store.jobs.submit("race", "local", asked, lane="train").id)
    result = next(one for one in pilot.kept(store, asked)["candidates"] if one["strategy"] == "feature-extraction")
    from tlcore.models.logistic_head import logistic_head

    features = {
        name: np.load(next((store.home / "cache" / "features").glob(f"*-{name}.npz")))["features"]
        for name in ("train", "validation")
    }
    labels = sorted(dataset.split("train")["label"].unique())
    truth = {name: np.array([labels.index(one) for one in dataset.split(name)["label"]]) for name in features}
    head = logistic_head(features["train"], truth["train"], features["validation"], truth["validation"], len(labels))
    right = (features["validation"] @ head["weight"].T + head["bias"]).argmax(axis=1) == truth["validation"]
    assert result["rungs"][0]["score"] == pytest.approx(right.mean())


@pytest.mark.timeout(240)
def test_a_kill_in_the_middle_changes_nothing(store, dataset, tiny_source):
    asked = asked_for(dataset, tiny_source)
    run_here(store, store.jobs.submit("race", "local", asked, lane="train").id)
    expected = pilot.kept(store, asked)
    pilot.path(store, asked).unlink()
    working = pilot.path(store, asked).with_suffix("")
    command = [
        sys.executable,
        "-m",
        "tlcore",
        "advise",
        "--task",
        "image-classification",
        "--data",
        dataset.fingerprint,
        "--source",
        str(tiny_source),
        "--race",
        "--json",
    ]
    environment = {**os.environ, "TLCORE_HOME": str(store.home)}
    job = store.jobs.submit("race", "local", asked, lane="train")
    child = [
        sys.executable,
        "-c",
        f"from tlcore.store import Store; from tlcore.execution.foreground import run_here; "
        f"run_here(Store.open({str(store.home)!r}), {job.id!r})",
    ]
    process = subprocess.Popen(child, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while len(list(working.glob("*/*/*/done.json"))) < 3 and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(list(working.glob("*/*/*/done.json")))
    assert kept >= 3
    assert not pilot.path(store, asked).exists()
    assert run_here(store, job.id).state == SUCCEEDED
    again = pilot.kept(store, asked)
    assert scores_of(again) == scores_of(expected)
    assert again["winner"] == expected["winner"]
    done = subprocess.run([*command, "--help"], env=environment, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert "--race" in done.stdout


def test_a_race_is_cancelled(store, dataset, tiny_source):
    job = store.jobs.submit("race", "local", asked_for(dataset, tiny_source, budget={"epochs": 30}), lane="train")

    def stop(share, message, **more):
        if share:
            store.jobs.cancel(job.id)

    assert run_here(store, job.id, stop).state == CANCELLED


# --- the page -------------------------------------------------------------------------------------------------------


def result(asked) -> dict:
    def rung(epochs, score):
        return {
            "epochs": epochs,
            "rate": None,
            "score": score,
            "interval": [score - 0.1, score + 0.05],
            "loss": 0.3,
            "seconds": 2.0,
        }

    result = {
        "candidates": [
            {"strategy": "feature-extraction", "rate": None, "rungs": [rung(None, 0.8)] * 3, "dropped_at": None},
            {"strategy": "fine-tuning", "rate": 1e-3, "rungs": [rung(3, 0.5)], "dropped_at": 1},
            {
                "strategy": "linear-probe-then-fine-tune",
                "rate": 1e-3,
                "dropped_at": None,
                "rungs": [rung(3, 0.8), rung(4, 0.81), rung(12, 0.9)],
            },
        ],
        "winner": "linear-probe-then-fine-tune",
        "clear": True,
        "runner_up": None,
        "seconds": 9.0,
        "n_validation": 40,
        "n_own": 20,
        "turns": 2,
        "share": True,
        "metric_title": sentence("accuracy").model_dump(),
        "asked": asked,
    }
    result["sentences"] = {name: one.model_dump() for name, one in pilot.sentences(result).items()}
    return result


def draft_request(filled):  # noqa: F811
    """What the page asks for with the draft of the project."""
    opened("strategy", project=filled.project).run()
    draft = filled.store.projects.get(filled.project, "local").draft
    names = ("task", "data", "source", "options", "budget")
    return pilot.request(from_dict({key: draft[key] for key in names if key in draft}), filled.fingerprint)


def test_page_offers_runs_fails_and_goes_on(filled):  # noqa: F811
    store = filled.store
    at = opened("strategy", project=filled.project)
    assert "At most about" in said(at)
    at.button(key="race-go").click().run()
    assert not at.exception
    job = store.jobs.newest("race", {})
    assert (job.state, job.lane) == ("queued", "train")
    assert job.input == draft_request(filled)
    assert at.button(key="race-cancel")
    assert store.jobs.take(job.id, "test")
    message = sentence("There was not enough memory for this.").model_dump()
    store.jobs.finish(job.id, 1, FAILED, error={"code": "x", "sentence": message})
    at = opened("strategy", project=filled.project)
    assert "not enough memory" in said(at)
    at.button(key="race-go").click().run()
    assert store.jobs.get(job.id).state == "queued", "it goes on"


def test_page_lets_nobody_stop_or_restart_the_race_of_another(filled):  # noqa: F811
    store, asked = filled.store, draft_request(filled)
    theirs = store.jobs.submit("race", "bruno", asked, lane="train")
    at = opened("strategy", project=filled.project)
    assert "Somebody else has the same under way" in said(at)
    assert not {"race-cancel", "race-go"} & {button.key for button in at.button}
    store.jobs.cancel(theirs.id)
    at = opened("strategy", project=filled.project)
    assert "Run the pilot" in at.button(key="race-go").label
    at.button(key="race-go").click().run()
    assert store.jobs.get(theirs.id).state == "cancelled"
    assert store.jobs.newest("race", asked).owner == "local"


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_page_shows_the_winner_and_takes_it(filled, locale):  # noqa: F811
    asked = draft_request(filled)
    path = pilot.path(filled.store, asked)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result(asked)))
    at = opened("strategy", locale, project=filled.project)
    if locale == "en-US":
        assert "won the pilot" in said(at)
    at.button(key="race-use").click().run()
    assert not at.exception
    assert Store.open().projects.get(filled.project, "local").draft["strategy"] == "linear-probe-then-fine-tune"
    assert at.button(key="race-use").disabled
