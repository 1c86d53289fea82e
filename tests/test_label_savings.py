"""Label savings: known curves come back, parts are nested, a kill changes nothing, and every state is shown."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_ui_pages import filled, home, opened, said  # noqa: F401  (fixtures)

from tlcore.cli import main
from tlcore.data import subsets
from tlcore.data.dataset import Dataset
from tlcore.errors import UnusableInput
from tlcore.guidance.power_law import crosses, falling, fit
from tlcore.jobs.foreground import run_here
from tlcore.jobs.work import label_savings as label_savings_job
from tlcore.report import label_savings, power, time_to_score
from tlcore.report.label_savings import Measured, analyse, sentences
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.tables import CANCELLED, FAILED, SUCCEEDED
from tlcore.tasks.contract import Metric, Records
from tlcore.words import Sentence, say

SIZES = np.array([20.0, 40, 80, 160, 320])


# --- curves with a known answer ------------------------------------------------------------------------------------


class Right:
    """A task whose score is the share of right answers."""

    metrics = (Metric("accuracy", say("accuracy")),)

    def aggregate(self, records, weights, target):
        return {"accuracy": (weights @ records.columns["right"]) / weights.sum(axis=1)}


def answers(errors, units: int, rng, seeds: int = 3, spread: float = 0.015) -> list[list[Records]]:
    """Right and wrong answers with these shares of error; hard units are hard for every training."""
    hard = np.random.default_rng(99).random(units)
    out = []
    for error in errors:
        row = []
        for _ in range(seeds):
            share = np.clip(error + rng.normal(0, spread), 0.002, 0.998)
            luck = np.where(rng.random(units) < 0.7, hard, rng.random(units))
            row.append(Records([str(i) for i in range(units)], np.arange(units),
                               {"right": (luck >= share).astype(float)}))  # fmt: skip
        out.append(row)
    return out


def scratch(n, a=0.05, b=2.0, c=0.45):
    return a + b * np.asarray(n) ** -c


def analysed(transfer, twin, seed: int, units: int = 300, **more):
    rng = np.random.default_rng(seed)
    hands = [Measured(SIZES, answers(errors, units, rng, **more)) for errors in (transfer, twin)]
    return analyse(Right(), {}, *hands, draws=250, seed=seed)


def test_a_power_law_without_noise_comes_back():
    error = scratch(SIZES, 0.08, 1.5, 0.6)
    law = fit(SIZES, error[:, None], np.ones(5))
    assert law.error(SIZES)[0] == pytest.approx(error, abs=1e-6)
    assert law.a[0] == pytest.approx(0.08, abs=1e-3)
    assert law.c[0] == pytest.approx(0.6)
    assert law.reaches(np.array([0.1]))[0] == pytest.approx((1.5 / 0.02) ** (1 / 0.6), rel=0.05)
    assert np.isinf(law.reaches(np.array([0.07]))[0]), "below its floor it never comes"


def test_the_fit_is_the_least_squares_optimum():
    """Against a fine search over floor and factor for the exponent that was found."""
    rng = np.random.default_rng(1)
    error, weights = scratch(SIZES) + rng.normal(0, 0.03, 5), rng.uniform(0.5, 4, 5)
    law = fit(SIZES, error[:, None], weights)

    def loss(a, b, c):
        return (weights[:, None] * (error[:, None] - a - b * ((SIZES / 320) ** -c)[:, None]) ** 2).sum(axis=0)

    found = loss(law.a, law.b, law.c[0])[0]
    grid_a, grid_b = (g.ravel() for g in np.meshgrid(np.linspace(0, 0.6, 241), np.linspace(0, 1, 401)))
    for exponent in np.linspace(0.025, 2, 40):
        assert found <= loss(grid_a, grid_b, exponent).min() + 1e-6


def test_falling_curves_against_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(3)
    error, weights = rng.random((6, 20)), rng.uniform(0.2, 3, 6)
    ours = falling(error, weights)
    for draw in range(20):
        model = IsotonicRegression(increasing=False).fit(np.arange(6), error[:, draw], sample_weight=weights)
        theirs = model.predict(np.arange(6))
        assert ours[:, draw] == pytest.approx(theirs)


def test_where_a_falling_curve_crosses():
    n, curve = np.array([10.0, 100, 1000]), np.array([[0.5], [0.3], [0.1]])
    assert crosses(n, curve, np.array([0.2]))[0] == pytest.approx(10**2.5)
    assert crosses(n, curve, np.array([0.3]))[0] == pytest.approx(100)
    assert crosses(n, curve, np.array([0.7]))[0] == pytest.approx(10)
    assert np.isinf(crosses(n, curve, np.array([0.05]))[0])


def test_savings_are_found_in_nearly_every_case():
    """Transfer at 320 labels is where scratch would be at about 830; read between parts it is at 160 where scratch is
    at 290. Of 24 simulated cases the 95 % intervals hold both in all but a few."""
    transfer = np.array([0.40, 0.30, 0.28, 0.206, 0.147])
    truth = [((error - 0.05) / 2.0) ** (-1 / 0.45) for error in transfer]
    assert truth[4] == pytest.approx(833, rel=0.02)
    held = np.zeros(5)
    for seed in range(24):
        told = analysed(transfer, scratch(SIZES), seed)
        for place, (one, true) in enumerate(zip(told["sizes"], truth, strict=True)):
            low, high = one["interval"]
            held[place] += low <= max(true, 20) <= (high or np.inf)
    assert (held >= 21).all(), held  # P(20 or fewer of 24 at 95 %) = 0.03


def test_intervals_narrow_with_more_test_units():
    transfer, wide = np.array([0.40, 0.30, 0.28, 0.206, 0.147]), []
    for units in (100, 3000):
        low, high = analysed(transfer, scratch(SIZES), 5, units=units, spread=0.003)["sizes"][3]["interval"]
        wide.append(np.log((high or 3200) / low))
    assert wide[1] < 0.6 * wide[0]


@pytest.mark.parametrize(
    ("transfer", "outcome", "word"),
    [
        ([0.2, 0.1, 0.06, 0.04, 0.03], "saves", "more than 3,200"),
        ([0.6, 0.5, 0.45, 0.4, 0.35], "costs", "saves no labels"),
        (scratch(SIZES), "unclear", "cannot be told"),
    ],
)
def test_what_is_said_of_each_outcome(transfer, outcome, word):
    told = analysed(np.array(transfer), scratch(SIZES), 2, units=600)
    assert told["equal"]["outcome"] == outcome
    said = sentences({**told, "seeds": 3, "n_test": 600})
    assert word in str(said["equal"])
    if outcome == "costs":
        assert told["equal"]["saved"] < 0
        assert told["equal"]["reading"] == "measured"


def test_what_was_seen_is_told_from_what_was_extrapolated():
    told = analysed(np.array([0.35, 0.30, 0.26, 0.22, 0.12]), scratch(SIZES), 4, units=3000, spread=0.004)
    assert told["equal"]["reading"] == "extrapolated"
    assert 320 < told["equal"]["needed"] < told["limit"] == 3200
    said = sentences({**told, "seeds": 3, "n_test": 3000})
    assert "beyond what was measured" in str(said["equal"])
    assert "not extrapolated" in str(said["seen"])


def test_a_test_set_without_an_error_is_not_certain():
    told = analysed(np.full(5, 0.002), np.full(5, 0.002), 0, units=20, spread=0.0)
    assert told["equal"]["outcome"] == "unclear"
    assert told["equal"]["interval"][1] is None


def test_one_seed_gives_an_interval_of_the_test_set_alone():
    told = analysed(np.array([0.40, 0.30, 0.28, 0.206, 0.147]), scratch(SIZES), 6, seeds=1)
    assert told["equal"]["interval"][0] >= 20


def test_a_metric_without_a_best_value_is_refused():
    class Bleu(Right):
        metrics = (Metric("accuracy", say("BLEU"), share=False),)

    rng = np.random.default_rng(0)
    hand = Measured(SIZES, answers(scratch(SIZES), 30, rng))
    with pytest.raises(UnusableInput, match="BLEU"):
        analyse(Bleu(), {}, hand, hand, draws=20)


# --- parts of the data -------------------------------------------------------------------------------------------


def rows(counts, group=None):
    labels = [label for label, n in counts.items() for _ in range(n)]
    frame = pd.DataFrame({"id": [f"{label}-{i}" for i, label in enumerate(labels)], "label": labels})
    return frame if group is None else frame.assign(group=group(frame))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_are_nested_and_stratified(seed):
    frame = rows({"a": 200, "b": 60, "c": 12})
    order = subsets.nested(frame, seed)
    assert sorted(np.concatenate(order)) == list(range(272))
    before: set[int] = set()
    for n in subsets.sizes(272, 3):
        part = subsets.take(order, n)
        assert len(part) == n
        assert before <= set(part)
        before = set(part)
        have = frame["label"].iloc[part].value_counts()
        for label, whole in (("a", 200), ("b", 60), ("c", 12)):
            assert have[label] >= 1
            assert abs(have[label] - n * whole / 272) <= 1.51


def test_parts_depend_on_the_seed_and_not_on_the_order_of_the_rows():
    frame = rows({"a": 40, "b": 40})
    shuffled = frame.sample(frac=1, random_state=4).reset_index(drop=True)

    def part(f, seed):
        return set(f["id"].iloc[subsets.take(subsets.nested(f, seed), 20)])

    assert part(frame, 0) == part(shuffled, 0)
    assert part(frame, 0) != part(frame, 1)


def test_groups_are_never_torn_apart():
    frame = rows({"a": 60, "b": 60}, lambda f: [f"patient-{i // 6}" for i in range(len(f))])
    order = subsets.nested(frame, 0)
    for n in (12, 30, 61):
        inside = np.zeros(120, bool)
        inside[subsets.take(order, n)] = True
        assert frame.assign(inside=inside).groupby("group")["inside"].nunique().max() == 1
        assert abs(inside.sum() - n) <= 3


def test_sizes_grow_by_the_same_factor_and_end_at_the_whole():
    sizes = subsets.sizes(320, 2)
    assert sizes == [20, 40, 80, 160, 320]
    assert subsets.sizes(1000, 100)[0] == 200, "two of each class at least"
    assert len(subsets.sizes(5, 3)) == 1


def test_a_view_trains_on_its_part_alone(dataset):
    train = dataset.split("train")
    ids = train["id"].tolist()[:7]
    view = dataset.with_train(ids)
    assert view.split("train")["id"].tolist() == ids
    assert view.info.n["train"] == 7
    for split in ("validation", "test"):
        assert view.split(split).equals(dataset.split(split))
    assert view.fingerprint != dataset.fingerprint
    assert view.fingerprint == dataset.with_train(ids[::-1]).fingerprint != dataset.with_train(ids[:6]).fingerprint
    assert view.cached_as == dataset.fingerprint
    assert view.rows["id"].equals(dataset.rows["id"]), "places stay, so that what is kept by place still fits"
    assert dataset.with_train(train["id"]) is dataset
    with pytest.raises(ValueError, match="training"):
        dataset.with_train(dataset.split("test")["id"])


# --- seconds and watts ---------------------------------------------------------------------------------------------


def test_time_to_a_score_by_hand():
    metric = Metric("accuracy", say("accuracy"))
    points = pd.DataFrame(
        [
            {"arm": "twin", "seed": seed, "trial": "final", "phase": 0, "epoch": e, "seconds": 2.0 * e,
             "validation_accuracy": (0.2, 0.5, 0.7, 0.6)[e] + 0.1 * seed}
            for seed in (0, 1) for e in range(4)
        ]
    )  # fmt: skip
    report = {
        "transfer": {"per_seed": [{"seed": 0, "seconds": 1.5, "validation": {"accuracy": 0.9}}], "seconds_search": 0.2},
        "baseline": {"per_seed": [{"seed": 0, "seconds": 7.0, "validation": {"accuracy": 0.7}},
                                  {"seed": 1, "seconds": 6.0, "validation": {"accuracy": 0.8}}],
                     "seconds_search": 3.0},
    }  # fmt: skip
    told = time_to_score.reached(points, report, metric, 0.6)
    assert told["transfer"] == {"seconds": 1.5, "seeds": 1, "of": 1, "seconds_search": 0.2}
    # seed 0 began one second before its first point and has 0.7 at 4 s; seed 1 has 0.6 at 2 s
    assert told["twin"]["seconds"] == pytest.approx((5.0 + 2.0) / 2)
    assert time_to_score.reached(points, report, metric, 0.75)["twin"]["seeds"] == 1
    assert time_to_score.reached(points, report, metric, 0.95)["transfer"]["seconds"] is None
    assert time_to_score.best_common(report, metric) == pytest.approx(0.75)


def test_energy_by_hand():
    assert power.energy(7200, 500, 0.3) == {"kwh": pytest.approx(1.0), "cost": pytest.approx(0.3)}


def test_watts_are_read_where_the_machine_tells_and_not_made_up(monkeypatch, tmp_path):
    with power.Meter("cpu") as meter:
        pass
    assert meter.watts is None
    monkeypatch.setattr(power, "RAPL", str(tmp_path / "pkg"))
    (tmp_path / "pkg").mkdir()
    counter = tmp_path / "pkg" / "energy_uj"
    counter.write_text("1000000")
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(power, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with power.Meter("cpu") as meter:
        clock.now += 1.1
        counter.write_text("111000000")
    assert meter.how == "rapl"
    assert meter.watts == pytest.approx(110 / 1.1)
    counter.write_text("5")
    with power.Meter("cpu") as meter:
        clock.now += 1.1
        counter.write_text("1")
    assert meter.watts is None, "a counter that wrapped around"


def test_the_watts_of_a_gpu_are_the_mean_of_what_nvml_tells(monkeypatch):
    readings = iter([100_000, 300_000, *[200_000] * 1000])
    board = SimpleNamespace(nvmlInit=lambda: None, nvmlDeviceGetHandleByIndex=lambda at: at,
                            nvmlDeviceGetPowerUsage=lambda handle: next(readings))  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", board)
    monkeypatch.setattr(power, "EVERY", 0.01)
    with power.Meter("cuda") as meter:
        time.sleep(0.3)
    assert (meter.how, meter.watts) == ("nvml", pytest.approx(200.0))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # the package is not there
    with power.Meter("cuda") as meter:
        time.sleep(0.05)
    assert meter.watts is None


# --- a finished run ------------------------------------------------------------------------------------------------


def spec(photos, tiny_source, **changes):
    return from_dict({
        "name": "patterns", "task": "image-classification", "data": {"path": str(photos)}, "source": str(tiny_source),
        "strategy": "linear-probe-then-fine-tune", "seeds": 2, "budget": {"epochs": 2},
        "options": {"image_size": 32, "batch_size": 16}, **changes,
    })  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos, tiny_source):
    """A workspace with a finished run whose label savings were measured without a break."""
    store = Store.open(tmp_path_factory.mktemp("savings") / "home")
    run = store.runs.create(spec(photos, tiny_source), "local")
    assert run_here(store, run.id).state == SUCCEEDED
    report = store.runs.get(run.id).report
    job = store.jobs.submit("label-savings", "local", {"run": run.id, "sizes": 4}, lane="train")
    done = run_here(store, job.id)
    assert done.state == SUCCEEDED, done.error
    yield store, run.id, report, done
    store.close()


def test_the_whole_story_on_a_small_run(finished):
    store, run_id, before, job = finished
    folder = store.runs.folder(run_id)
    told = label_savings.load(folder)
    after = store.runs.get(run_id).report
    assert after == {**before, "label_savings": told} == json.loads((folder / "report.json").read_text())
    assert job.output["labels"] == told["n_train"] == before["dataset"]["n"]["train"]
    assert told["recipe"]["twin"]["learning_rate"] == before["baseline"]["per_seed"][0]["learning_rate"]
    for arm, key in (("transfer", "transfer"), ("twin", "baseline")):
        points = told["arms"][arm]["points"]
        assert len(points) == len(told["sizes"]) == 4
        assert points[-1]["value"] == pytest.approx(before[key]["value"]), "all the labels: the run's own arms"
        assert all(0 <= p["interval"][0] <= p["value"] <= p["interval"][1] <= 1 for p in points)
    assert not list(folder.rglob("savings/**/weights")), "weights of the parts are not kept"
    assert not list(folder.rglob("savings/**/checkpoint-*"))
    for page in ("report.html", "report.pt_BR.html"):
        assert "<polygon" in (folder / page).read_text()


def test_scores_of_the_parts_are_those_of_the_kept_outputs(finished):
    store, run_id, _, _ = finished
    told = label_savings.load(store.runs.folder(run_id))
    test = Dataset.open(store, store.runs.get(run_id).dataset).split("test")
    labels = sorted(test["label"].unique())
    truth = np.array([labels.index(label) for label in test["label"]])
    folders = sorted((store.runs.folder(run_id) / "savings").glob("n-*"))
    assert len(folders) == 3
    for folder, point in zip(folders, told["arms"]["twin"]["points"], strict=False):
        right = [(np.load(folder / "arms/twin" / f"seed-{s}" / "outputs-test.npy").argmax(1) == truth).mean()
                 for s in range(2)]  # fmt: skip
        assert point["per_seed"] == pytest.approx(right)


def test_the_backbone_does_not_run_again_for_the_parts(finished, monkeypatch):
    from tlcore.training import features

    store, run_id, _, _ = finished
    for done in (store.runs.folder(run_id) / "savings").glob("n-*/arms/transfer/seed-1/result.json"):
        done.unlink()
    monkeypatch.setattr(features, "forward", lambda *a: pytest.fail("a second pass over the same examples"))
    expected = label_savings.load(store.runs.folder(run_id))["arms"]
    job = store.jobs.submit("label-savings", "local", {"run": run_id, "sizes": 4}, lane="train")
    assert run_here(store, job.id).state == SUCCEEDED
    assert label_savings.load(store.runs.folder(run_id))["arms"] == expected


@pytest.mark.timeout(280)
def test_a_kill_in_the_middle_changes_nothing(finished):
    """Killed twice while it trains, it goes on after the last training that is done, to the same numbers."""
    store, run_id, _, _ = finished
    folder = store.runs.folder(run_id)
    expected = label_savings.load(folder)
    shutil.rmtree(folder / "savings")
    (folder / label_savings.FILE).unlink()
    command = [sys.executable, "-m", "tlcore", "savings", run_id, "--sizes", "4", "--json"]
    environment = {**os.environ, "TLCORE_HOME": str(store.home)}
    for wanted in (2, 6):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 100
        while len(list(folder.glob("savings/*/arms/*/*/result.json"))) < wanted and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("savings/*/arms/*/*/result.json")}
    assert 6 <= len(kept) < 12
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["arms"] == expected["arms"]
    assert told["sizes"] == expected["sizes"]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items()), "what was done is not done again"


def test_a_cancel_is_noticed_and_what_is_done_stays(finished):
    store, run_id, _, _ = finished
    folder = store.runs.folder(run_id) / "savings"
    shutil.rmtree(folder)
    job = store.jobs.submit("label-savings", "local", {"run": run_id, "sizes": 4}, lane="train")

    def stop(share, sentence, **more):
        if (share or 0) > 0.2:
            store.jobs.cancel(job.id)

    assert run_here(store, job.id, stop).state == CANCELLED
    assert 1 <= len(list(folder.glob("n-*/arms/*/*/result.json"))) < 12


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (None, "run"),
        ({"baseline": None}, "no-twin"),
        ({"baseline": {}, "dataset": {"n": {"train": 5}}, "labels": ["a", "b"]}, "too-few-labels"),
    ],
)
def test_a_run_that_cannot_be_measured_says_why(report, code):
    from tlcore.store.tables import Run

    run = Run(id="x", dataset="y", plan={}, report=report)
    with pytest.raises(UnusableInput) as told:
        label_savings_job.usable(run)
    assert told.value.code == code


def test_the_command_line_names_a_run_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    assert main(["savings", "nothing", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown-run"


# --- the page ------------------------------------------------------------------------------------------------------


def measurable(store, run_id: str, **more) -> None:
    """The seeded run with what a real report has beside it."""
    report = store.runs.get(run_id).report
    each = [{"seed": s, "seconds": 4.0, "validation": {"accuracy": 0.8}} for s in range(2)]
    report = {**report, "dataset": {**report["dataset"], "n": {"train": 320, "validation": 60, "test": 90}}, **more}
    for key in ("transfer", "baseline"):
        report[key] = {**report[key], "per_seed": each}
    store.runs.set(run_id, report=report, plan={"device": "cpu"})


def tab(filled, locale: str = "en-US"):  # noqa: F811
    at = opened("compare", locale, project=filled.project, run=filled.runs["ends"])
    at.segmented_control(key="compare-part").set_value("savings").run()
    assert not at.exception, at.exception
    return at


def test_page_before_it_is_measured(filled):  # noqa: F811
    measurable(filled.store, filled.runs["ends"])
    at = tab(filled)
    assert "20, 40, 80, 160" in said(at)
    at.button(key="savings-go").click().run()
    job = filled.store.jobs.newest("label-savings", {"run": filled.runs["ends"]})
    assert (job.state, job.lane) == ("queued", "train")
    assert at.button(key="savings-cancel")


def test_page_of_a_run_that_cannot_be_measured(filled):  # noqa: F811
    filled.store.runs.set(filled.runs["ends"], plan=None)
    assert "cannot be measured" in said(tab(filled))


def test_page_while_it_is_measured_and_when_it_failed(filled):  # noqa: F811
    store, run_id = filled.store, filled.runs["ends"]
    measurable(store, run_id)
    job = store.jobs.submit("label-savings", "local", {"run": run_id}, lane="train")
    assert store.jobs.take(job.id, "test")
    told = {"share": 0.4, "sentence": say("Training with {n} labels", n=40).model_dump(), "seconds_left": 33}
    store.jobs.beat(job.id, 1, progress=told)
    at = tab(filled)
    assert "33 s" in said(at)
    sentence = say("There was not enough memory for this.").model_dump()
    store.jobs.finish(job.id, 1, FAILED, error={"code": "x", "sentence": sentence})
    at = tab(filled)
    assert "not enough memory" in said(at)
    at.button(key="savings-go").click().run()
    assert store.jobs.get(job.id).state == "queued", "it goes on where it was"


@pytest.mark.parametrize("transfer", [[0.35, 0.30, 0.26, 0.22, 0.12], [0.2, 0.1, 0.06, 0.04, 0.03]])
@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_page_when_it_is_measured(filled, locale, transfer):  # noqa: F811
    told = {**analysed(np.array(transfer), scratch(SIZES), 4, units=600), "seeds": 3, "n_test": 600,
            "watts": {"value": 120.0, "how": "nvml"}}  # fmt: skip
    told["sentences"] = {name: one.model_dump() for name, one in sentences(told).items()}
    measurable(filled.store, filled.runs["ends"], label_savings=told)
    at = tab(filled, locale)
    assert len(at.get("plotly_chart")) == 1
    if locale == "en-US":
        assert str(Sentence.model_validate(told["sentences"]["equal"]))[:30] in said(at)
        assert at.number_input(key=f"tts-watts-{filled.runs['ends']}").value == 120.0
        assert "NVML" in said(at)
