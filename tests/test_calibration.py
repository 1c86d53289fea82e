"""Calibration, thresholds, weak parts and several runs at once, against computations written out another way."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tlcore.evaluation import calibration, operating_points, statistics, thresholds
from tlcore.report import several_runs, slices
from tlcore.tasks.image_classification.task import ImageClassification

TASK = ImageClassification()


def classifier(rng, n=400, classes=3, sure=1.0):
    """Logits that are calibrated at ``sure`` 1 (labels are drawn from their softmax), and the truth."""
    logits = 1.5 * rng.standard_normal((n, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in shares])
    return sure * logits, truth


def records(logits, truth, unit=None):
    unit = np.arange(len(truth)) if unit is None else unit
    return TASK.evaluate(
        logits, SimpleNamespace(ids=[str(i) for i in range(len(truth))], labels=truth, groups=unit), {}
    )


def test_the_temperature_is_that_of_a_search_over_a_fine_grid():
    logits, truth = classifier(np.random.default_rng(0), sure=3.0)
    grid = np.exp(np.linspace(np.log(0.2), np.log(8), 4000))

    def loss(t):
        log = logits / t - np.log(np.exp(logits / t).sum(axis=1, keepdims=True))
        return -log[np.arange(len(truth)), truth].mean()

    best = grid[np.argmin([loss(t) for t in grid])]
    found, reason = calibration.temperature(logits, truth)
    assert reason is None
    assert found == pytest.approx(best, rel=2e-3)
    assert 2 < found < 4.5


def test_no_temperature_where_none_can_be_fitted():
    logits, truth = classifier(np.random.default_rng(1))
    found, reason = calibration.temperature(logits, logits.argmax(axis=1))
    assert found == 1.0
    assert "wrongly" in str(reason)
    found, reason = calibration.temperature(logits[:5], truth[:5])
    assert found == 1.0
    assert "only 5" in str(reason)
    unknown = np.full(400, -1)
    unknown[:200] = truth[:200]
    assert calibration.temperature(logits, unknown)[0] == pytest.approx(
        calibration.temperature(logits[:200], truth[:200])[0]
    )


def test_errors_by_hand():
    """Four bins of two, none of whose confidences are alike."""
    confidence = np.array([0.5, 0.52, 0.6, 0.62, 0.7, 0.74, 0.9, 0.98])
    right = np.array([1, 0, 1, 1, 0, 1, 1, 1], float)
    apart = [0.5 - 0.51, 1 - 0.61, 0.5 - 0.72, 1 - 0.94]
    by_hand = sum(abs(x) for x in apart) / 4
    found = calibration.errors(confidence, right, np.ones((1, 8)), bins=4)
    assert found["ece"][0] == pytest.approx(by_hand)
    chance = [0.25 / 1, 0, 0.25 / 1, 0]  # a (1 - a) / (n - 1)
    squared = sum(x**2 - c for x, c in zip(apart, chance, strict=True)) / 4
    assert found["debiased"][0] == pytest.approx(np.sqrt(max(0.0, squared)))
    doubled = calibration.errors(np.repeat(confidence, 2), np.repeat(right, 2), np.ones((1, 16)), bins=4)
    weighed = calibration.errors(confidence, right, np.full((1, 8), 2.0), bins=4)
    assert doubled["ece"][0] == pytest.approx(weighed["ece"][0]) == pytest.approx(by_hand)
    assert doubled["debiased"][0] == pytest.approx(weighed["debiased"][0])


def test_brier_by_hand():
    shares, truth = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]), np.array([0, 1])
    assert calibration.brier(shares, truth) == pytest.approx([0.09 + 0.04 + 0.01, 0.01 + 0.81 + 0.64])


def test_a_calibrated_model_has_no_error_left_but_chance():
    rng = np.random.default_rng(2)
    logits, truth = classifier(rng, n=4000, sure=3.0)
    fitted, _ = calibration.temperature(logits[:2000], truth[:2000])
    result = calibration.describe(records(logits[2000:], truth[2000:]), records(logits[2000:] / fitted, truth[2000:]))
    assert result["before"]["ece"]["value"] > 0.1
    assert result["after"]["ece"]["value"] < 0.04
    assert result["after"]["debiased"]["value"] < 0.03
    assert result["change"]["interval"][1] < 0
    assert result["change"]["value"] == pytest.approx(
        result["after"]["ece"]["value"] - result["before"]["ece"]["value"]
    )
    for side in ("before", "after"):
        assert sum(one["n"] for one in result[side]["reliability"]) == 2000
        for name in ("ece", "debiased", "brier"):
            low, high = result[side][name]["interval"]
            assert low <= result[side][name]["value"] <= high


def test_operating_points_by_hand():
    shares = np.array([0.1, 0.4, 0.45, 0.8, 0.9])
    truth = np.array([0, 1, 0, 1, 1])
    at = thresholds.thresholds(shares)
    assert set(np.round(at, 3)) == {0.25, 0.425, 0.5, 0.625, 0.85}
    points = {round(p["threshold"], 3): p for p in thresholds.curve(shares, truth, at)}
    assert (points[0.425]["tp"], points[0.425]["fp"], points[0.425]["fn"], points[0.425]["tn"]) == (2, 1, 1, 1)
    assert points[0.425]["precision"] == points[0.425]["recall"] == pytest.approx(2 / 3)
    assert points[0.5]["f1"] == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    curve = list(points.values())
    assert thresholds.choose(curve, "f1")["threshold"] == 0.25  # 6/7 beats 4/5
    assert thresholds.choose(curve, "recall", 0.6)["threshold"] in (0.5, 0.625)
    assert thresholds.choose(curve, "recall", 0.6)["threshold"] == 0.5  # of equals the nearest to one half
    assert thresholds.choose(curve, "recall", 1.0)["threshold"] == 0.25
    assert thresholds.choose(curve, "cost", 10)["threshold"] == 0.25  # a false alarm is cheap
    assert thresholds.choose(curve, "cost", 0.1)["fp"] == 0
    assert operating_points.build(["a", "b", "c"], (shares, truth), (shares, truth)) is None


def test_holm_by_hand():
    """Holm 1979: 0.01 x 4, 0.02 x 3 = 0.06, 0.03 x 2 = 0.06, 0.04 x 1 raised to 0.06."""
    assert several_runs.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert several_runs.holm([0.9, 0.8]) == [1.0, 1.0]
    assert several_runs.holm([]) == []


def simulated(rng, accuracy, n=400, seeds=3):
    return [
        records(np.where((rng.random(n) < accuracy)[:, None], [[2.0, 0.0]], [[0.0, 2.0]]), np.zeros(n, int))
        for _ in range(seeds)
    ]


def test_p_values_agree_with_the_intervals():
    rng = np.random.default_rng(4)
    for gap in (0.0, 0.02, 0.05, 0.08, 0.12):
        for seed in range(4):
            found = statistics.difference(TASK, simulated(rng, 0.7 + gap), simulated(rng, 0.7), {}, seed=seed)
            outside = found.interval[0] > 0 or found.interval[1] < 0
            assert (found.p < 0.05) == outside or abs(found.p - 0.05) < 0.003


def test_many_runs_are_judged_together():
    rng = np.random.default_rng(5)
    runs = [
        several_runs.Scored(str(i), "data", simulated(rng, 0.9 if i == 0 else 0.7), simulated(rng, 0.7), {})
        for i in range(3)
    ]
    other = several_runs.Scored("elsewhere", "other data", simulated(rng, 0.9), simulated(rng, 0.5), {})
    result = several_runs.compare(TASK, [*runs, other])
    assert [one["verdict"] for one in result["twins"]] == ["transfer-helps", None, None, "transfer-helps"]
    assert [(one["run"], one["other"]) for one in result["pairs"]] == [("0", "1"), ("0", "2"), ("1", "2")]
    assert [one["verdict"] for one in result["pairs"]] == ["run", "run", None]
    for family in (result["twins"], result["pairs"]):
        assert [one["adjusted"] for one in family] == pytest.approx(several_runs.holm([one["p"] for one in family]))
    single = several_runs.Scored("one", "data", simulated(rng, 0.9)[:1], simulated(rng, 0.5)[:1], {})
    assert several_runs.compare(TASK, [single])["twins"][0]["verdict"] is None


def test_a_weak_part_is_found_and_a_sound_one_is_not():
    rng = np.random.default_rng(6)
    n = 300
    place = np.arange(n) % 3
    right = rng.random(n) < np.where(place == 0, 0.5, 0.9)
    result = records(np.where(right[:, None], [[2.0, 0.0]], [[0.0, 2.0]]), np.zeros(n, int))
    camera = np.array(["old", "new", "newest"])[place]
    rows = pd.DataFrame(
        {
            "id": np.arange(n).astype(str),
            "file": "x",
            "label": "a",
            "split": "test",
            "camera": camera,
            "width": rng.integers(10, 500, n),
        }
    )
    parts = list(slices.by_column(rows))
    assert sum(mask.sum() for _, mask in parts[:3]) == n
    assert sum(mask.sum() for _, mask in parts[3:]) == n
    found = slices.score(TASK, result, parts, {})
    assert len(found) == 6
    assert [row["weak"] for row in found] == [True, False, False, False, False, False]
    assert found[0]["name"]["params"]["value"] == "old"
    assert found[0]["score"] == pytest.approx(right[place == 0].mean())
    assert found[0]["difference"]["value"] == pytest.approx(right[place == 0].mean() - right.mean())
    assert [row["adjusted"] for row in found] == pytest.approx(several_runs.holm([row["p"] for row in found]))


def test_a_part_of_few_units_is_none():
    """Ten pictures of one patient tell of the patient."""
    unit = np.repeat(np.arange(13), 10)
    parts = [({"kind": "column"}, unit < many) for many in (1, 6, 10)]
    assert slices.large_enough(parts, unit) == []
    assert slices.large_enough(parts, np.arange(130)) == parts


def test_of_many_parts_a_weak_one_is_still_found():
    rng = np.random.default_rng(8)
    place = np.repeat(np.arange(40), 20)
    right = np.where(place == 0, 0.0, 1.0) * (rng.random(800) < 0.95)
    result = records(np.where(right[:, None] > 0, [[2.0, 0.0]], [[0.0, 2.0]]), np.zeros(800, int))
    parts = [({"kind": "column", "name": {}, "examples": []}, place == one) for one in range(40)]
    assert [row["weak"] for row in slices.score(TASK, result, parts, {})] == [True, *[False] * 39]


def test_clusters_are_of_like_examples():
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(centre, 0.3, (40, 5)) for centre in ([3] * 5, [-3] * 5)])
    rows = pd.DataFrame({"id": np.arange(80).astype(str), "file": "x"})
    parts = slices.by_cluster(points, rows)
    assert sum(mask.sum() for _, mask in parts) == 80
    for about, mask in parts:
        assert mask[:40].all() or mask[40:].all() or len({*np.flatnonzero(mask) // 40}) == 1
        assert all(mask[int(one["id"])] for one in about["examples"])
