"""Intervals and verdicts: honest where two arms are one recipe, able to see what is there."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from tlcore.core.i18n import sentence
from tlcore.evaluation import statistics
from tlcore.evaluation.records import Metric, Records
from tlcore.tasks.image_classification.task import ImageClassification

TASK = ImageClassification()


def arm(rng, accuracy, *, n=200, seeds=3, deviation=0.03, unit=None, ease=None):
    """Records of seeds whose accuracy varies, on units of which some are easy and some are hard."""
    ease = rng.random(n) if ease is None else ease
    out = []
    for _ in range(seeds):
        right = ease + 0.1 * rng.standard_normal(n) < accuracy + deviation * rng.standard_normal()
        out.append(records(right, unit))
    return out


def records(right, unit=None):
    n = len(right)
    truth = np.arange(n) % 2
    return Records(
        ids=list(range(n)),
        unit=np.arange(n) if unit is None else unit,
        columns={"truth": truth, "prediction": np.where(right, truth, 1 - truth)},
    )


def false_verdicts(comparisons=150):
    rng = np.random.default_rng(5)
    false = 0
    for i in range(comparisons):
        ease = rng.random(200)
        both = [arm(rng, 0.8, ease=ease) for _ in range(2)]
        false += statistics.difference(TASK, *both, {}, draws=300, seed=i).verdict != "no-clear-difference"
    return false / comparisons


def test_two_arms_of_one_recipe_are_seldom_told_apart():
    assert false_verdicts() <= 0.08


def test_without_the_nesting_in_seeds_they_would_be(monkeypatch):
    monkeypatch.setattr(statistics, "_nested", lambda drawn, *_: drawn.mean(axis=0))
    assert false_verdicts() > 0.12


def test_seeds_of_one_arm_alone_can_move_the_verdict():
    """A solved head has no variance of its own; three seeds of its twin still only guess theirs."""
    rng = np.random.default_rng(8)
    false = 0
    for i in range(150):
        ease = rng.random(400)
        solved, twin = (
            arm(rng, 0.8, n=400, seeds=1, deviation=0, ease=ease) * 3,
            arm(rng, 0.8, n=400, ease=ease),
        )
        false += statistics.difference(TASK, solved, twin, {}, draws=300, seed=i).verdict != "no-clear-difference"
    assert false / 150 <= 0.1


def test_the_p_of_three_seeds_is_students():
    """Nearly nothing comes from so many units: three scores against three, as a textbook's t test has them."""
    n = 4_000

    def scored(*scores):
        return [records(np.arange(n) < score * n) for score in scores]

    found = statistics.difference(TASK, scored(0.80, 0.84, 0.88), scored(0.66, 0.70, 0.74), {})
    assert found.value == pytest.approx(0.14, abs=1e-3)
    assert 0.008 < found.p < 0.03, "t = 4.29 with four degrees of freedom: 0.013; the draws alone say 0.001"


def test_a_difference_of_shares_stays_between_shares():
    rng = np.random.default_rng(3)
    right, wrong = arm(rng, 0.99, n=30, deviation=0.3), arm(rng, 0.02, n=30, deviation=0.3)
    low, high = statistics.difference(TASK, right, wrong, {}).interval
    assert -1 <= low < high <= 1


def test_students_t():
    assert statistics._t_975(4) == pytest.approx(2.776)
    assert statistics._t_975(7) == pytest.approx(2.365, abs=0.01)
    assert statistics._t_975(np.inf) == pytest.approx(1.96, abs=0.001)
    same, apart = np.full(3, 0.9), np.array([0.7, 0.8, 0.9])
    assert statistics._freedom(same, apart) == pytest.approx(2)
    assert statistics._freedom(apart, apart) == pytest.approx(4)
    assert statistics._freedom(same, same) == np.inf


def test_a_real_difference_is_seen_and_has_a_sign():
    rng = np.random.default_rng(0)
    ease = rng.random(300)
    good = arm(rng, 0.9, n=300, ease=ease, deviation=0.01)
    poor = arm(rng, 0.7, n=300, ease=ease, deviation=0.01)
    found = statistics.difference(TASK, good, poor, {})
    assert found.verdict == "transfer-helps"
    assert found.interval[0] < found.value < found.interval[1]
    assert found.value == pytest.approx(0.2, abs=0.06)
    turned = statistics.difference(TASK, poor, good, {})
    assert turned.verdict == "negative-transfer"
    assert turned.value == pytest.approx(-found.value)


def test_a_difference_too_small_to_matter_is_none():
    metric = Metric("accuracy", sentence("accuracy"), smallest=0.05)
    assert statistics.verdict_of(statistics.Estimate(0.03, (0.01, 0.05)), metric) == "no-clear-difference"
    assert statistics.verdict_of(statistics.Estimate(0.06, (0.01, 0.11)), metric) == "transfer-helps"
    assert statistics.verdict_of(statistics.Estimate(-0.06, (-0.11, -0.01)), metric) == "negative-transfer"
    assert statistics.verdict_of(statistics.Estimate(0.06, (-0.01, 0.11)), metric) == "no-clear-difference"


def test_one_seed_gives_an_interval_and_no_verdict():
    rng = np.random.default_rng(1)
    found = statistics.difference(TASK, arm(rng, 0.95, seeds=1), arm(rng, 0.5, seeds=1), {})
    assert found.verdict is None
    assert found.interval[0] > 0.2


def test_seeds_that_differ_widen_the_interval_and_identical_ones_do_not():
    rng = np.random.default_rng(2)
    one = arm(rng, 0.8, seeds=1)[0]
    alone = statistics.intervals(TASK, [one], {})["accuracy"].interval
    copies = statistics.intervals(TASK, [one] * 3, {})["accuracy"].interval
    apart = statistics.intervals(TASK, arm(rng, 0.8, deviation=0.08), {})["accuracy"].interval
    assert np.ptp(copies) == pytest.approx(np.ptp(alone))
    assert np.ptp(apart) > 1.3 * np.ptp(alone)


def test_rows_of_one_unit_are_drawn_together():
    unit = np.repeat(["a", "b", "c", "d"], [1, 5, 2, 4])
    weights = np.concatenate(list(statistics.resampling_weights(unit, 500, np.random.default_rng(0))))
    assert weights.shape == (500, 12)
    for name in "abcd":
        assert (np.ptp(weights[:, unit == name], axis=1) == 0).all()
    assert {w[[0, 1, 6, 8]].sum() for w in weights} == {4.0}
    rng = np.random.default_rng(3)
    right = np.repeat(rng.random(40) < 0.7, 10)
    wide = statistics.intervals(TASK, [records(right, np.repeat(np.arange(40), 10))], {})["accuracy"].interval
    narrow = statistics.intervals(TASK, [records(right)], {})["accuracy"].interval
    assert np.ptp(wide) > 2 * np.ptp(narrow)


def test_weights_come_in_chunks_that_add_up(monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK", 100)
    parts = list(statistics.resampling_weights(np.arange(30), 50, np.random.default_rng(0)))
    assert len(parts) > 10
    assert sum(len(part) for part in parts) == 50


def test_lower_is_better_turns_the_sign():
    class Error:
        metrics = (Metric("error", sentence("error"), higher_is_better=False),)

        def aggregate(self, records, weights, target):
            wrong = records.columns["truth"] != records.columns["prediction"]
            return {"error": weights @ wrong / weights.sum(axis=1)}

    rng = np.random.default_rng(4)
    ease = rng.random(300)
    good, poor = arm(rng, 0.9, n=300, ease=ease), arm(rng, 0.6, n=300, ease=ease)
    assert statistics.difference(Error(), good, poor, {}).verdict == "transfer-helps"
    assert statistics.difference(Error(), good, poor, {}).value > 0


def test_all_right_is_not_certain():
    found = statistics.intervals(TASK, [records(np.ones(40, bool))] * 3, {})["accuracy"]
    assert found.value == 1.0
    assert found.interval == (pytest.approx(0.025 ** (1 / 40)), 1.0)
    none = statistics.intervals(TASK, [records(np.zeros(40, bool))], {})["accuracy"]
    assert none.interval == (0.0, pytest.approx(1 - 0.025 ** (1 / 40)))


def test_arms_on_other_rows_are_refused():
    ours, theirs = records(np.ones(5, bool)), records(np.ones(5, bool))
    theirs.ids = [9, 8, 7, 6, 5]
    with pytest.raises(ValueError, match="same rows"):
        statistics.difference(TASK, [ours], [theirs], {})


def test_it_is_quick():
    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((6, 500, 10))
    examples = SimpleNamespace(ids=list(range(500)), groups=np.arange(500), labels=rng.integers(0, 10, 500))
    every = [TASK.evaluate(one, examples, {}) for one in outputs]
    start = time.process_time()
    statistics.difference(TASK, every[:3], every[3:], {})
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("value", "interval", "said"),
    [
        (0.931, (0.881, 0.959), "Of 100 new examples, about 93 right; between 88 and 96."),
        (1.0, (0.912, 1.0), "Of 100 new examples, about 100 right; between 91 and 100."),
        (0.0, (0.0, 0.071), "Of 100 new examples, about 0 right; between 0 and 8."),
    ],
)
def test_scores_in_plain_words(value, interval, said):
    assert str(statistics.in_plain_words(value, interval)) == said


def test_what_can_be_seen_is_measured_on_the_run():
    rng = np.random.default_rng(0)
    ease = rng.random(400)
    calm = [arm(rng, 0.8, n=400, ease=ease, deviation=0.001) for _ in range(2)]
    wild = [arm(rng, 0.8, n=400, ease=ease, deviation=0.1) for _ in range(2)]
    assert 0.02 < statistics.visible(*calm) < statistics.visible(*wild) < 0.6
    assert statistics.visible(calm[0][:1], calm[1]) is None


def test_more_pictures_show_smaller_differences():
    sizes = [statistics.visible_difference(n, 3) for n in (50, 200, 1000)]
    assert sizes == sorted(sizes, reverse=True)
    assert statistics.visible_difference(300, 1) > statistics.visible_difference(300, 5)
