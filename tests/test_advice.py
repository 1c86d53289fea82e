"""The advice and the rule behind it, against computations of their own."""

from __future__ import annotations

import numpy as np
import pytest

from tlcore.core import i18n
from tlcore.guidance import advice_rule, advise
from tlcore.guidance.advice_rule import BASE, Expected, PilotScores, Situation
from tlcore.guidance.evidence import Evidence

RULE = {
    "mean_similarity": 0.5,
    "cells": 6,
    "sets": 2,
    "points": [],
    "strategies": {
        "fine-tuning": {
            "weights": [-0.04, 0.03, 0.2, 0.0, -0.1],
            "covariance": (0.001 * np.eye(5)).tolist(),
            "noise": 0.02,
        },
        "linear-probe-then-fine-tune": {
            "weights": [-0.01, 0.0, 0.0, 0.0, 0.0],
            "covariance": np.zeros((5, 5)).tolist(),
            "noise": 0.01,
        },
        "scratch": {"weights": [-0.3, 0.1, 0.0, 0.0, 0.0], "covariance": np.zeros((5, 5)).tolist(), "noise": 0.1},
    },
}


@pytest.fixture
def known(monkeypatch):
    """The advice by a rule that is written down here."""
    monkeypatch.setattr(advice_rule, "fitted", lambda material="image": RULE)


def evidence(per_class=32, probe=0.8, similarity=0.5, classes=4, **more):
    counts = {f"class {i}": per_class for i in range(classes)}
    result = {"probe": {"value": probe, "interval": [probe - 0.05, probe + 0.05]}}
    return Evidence(
        n_train=per_class * classes,
        n_per_class=counts,
        fewest=per_class,
        imbalance=1.0,
        set_aside=0,
        similarity=similarity,
        transferability=result,
        source={"id": "here", "title": "Here"},
        **more,
    )


def test_the_expectation_is_the_linear_model_written_down(known):
    found = advice_rule.expect(Situation.of(evidence(per_class=64, probe=0.7, similarity=0.7)))
    headroom = 0.3 / 0.75
    gain = -0.04 + 0.03 * 1 + 0.2 * headroom - 0.1 * 0.2
    deviation = np.sqrt(0.02**2 + 0.001 * (1 + 1 + headroom**2 + headroom**2 + 0.2**2))
    assert found["fine-tuning"].gain == pytest.approx(gain)
    assert found["fine-tuning"].gain_deviation == pytest.approx(deviation)
    assert found["fine-tuning"].value == pytest.approx(0.7 + gain)
    spread = 1.2816 * np.sqrt(deviation**2 + (0.05 / 1.96) ** 2)
    assert found["fine-tuning"].interval == pytest.approx((0.7 + gain - spread, 0.7 + gain + spread), abs=1e-4)
    assert found[BASE].gain == 0
    assert found[BASE].value == pytest.approx(0.7)


def test_the_best_is_the_highest_and_the_cheaper_of_equals(known):
    assert advice_rule.best(advice_rule.expect(Situation.of(evidence(per_class=64, probe=0.6)))) == "fine-tuning"
    assert advice_rule.best(advice_rule.expect(Situation.of(evidence(per_class=8, probe=0.9)))) == BASE
    equal = {name: Expected(name, 0.8, (0.7, 0.9), 0.0, 0.1) for name in (BASE, "fine-tuning", "scratch")}
    assert advice_rule.best(equal) == BASE


def test_scratch_is_never_advised_and_its_chance_is_told(known):
    expected = advice_rule.expect(Situation.of(evidence(per_class=2048, probe=0.9)))
    strategy = advice_rule.best(expected)
    assert expected["scratch"].gain > expected[strategy].gain
    assert strategy != "scratch"
    rng = np.random.default_rng(0)
    drawn = [rng.normal(expected[s].gain, expected[s].gain_deviation, 200_000) for s in (strategy, "scratch")]
    assert advice_rule.risk(expected, strategy) == pytest.approx(np.mean(drawn[1] > drawn[0]), abs=0.005)


def raced(scores, n, error=None, dropped=()):
    """Scores and, of every two, the error of a discordance of 0.2, which is what is taken for granted anyway."""
    one = np.sqrt(0.2 / n) if error is None else error
    return PilotScores(scores, {a: {b: 0.0 if a == b else one for b in scores} for a in scores}, n, dropped)


def test_a_race_moves_the_expectation_by_its_precision():
    prior = {
        BASE: Expected(BASE, 0.7, (0.6, 0.8), 0.0, 0.0),
        "fine-tuning": Expected("fine-tuning", 0.6, (0.5, 0.7), -0.1, 0.05),
    }
    joined, strategy = advice_rule.join(prior, raced({BASE: 0.6, "fine-tuning": 0.7}, 80), RULE)
    # The posterior of a normal mean: a grid over the gain, prior times likelihood.
    gain = np.linspace(-1, 1, 20_001)
    weight = np.exp(-0.5 * ((gain + 0.1) / 0.05) ** 2 - 0.5 * (0.1 - gain) ** 2 / (0.2 / 80))
    mean = (gain * weight).sum() / weight.sum()
    deviation = np.sqrt(((gain - mean) ** 2 * weight).sum() / weight.sum())
    assert joined["fine-tuning"].gain == pytest.approx(mean, abs=1e-4)
    assert joined["fine-tuning"].gain_deviation == pytest.approx(deviation, abs=1e-4)
    assert joined["fine-tuning"].value == pytest.approx(0.7 + mean, abs=1e-4)
    assert strategy == BASE
    one = raced({"fine-tuning": 0.9}, 80)
    assert advice_rule.join(prior, one, RULE) == (prior, BASE), "without another one there is no difference to join"


def test_three_strategies_are_joined_together():
    """Against the posterior by sampling: draws of all gains, weighed by how well they explain the scores."""
    prior = {
        BASE: Expected(BASE, 0.7, (0.6, 0.8), 0.0, 0.0),
        "fine-tuning": Expected("fine-tuning", 0.7, (0.6, 0.8), 0.0, 0.08),
        "linear-probe-then-fine-tune": Expected("linear-probe-then-fine-tune", 0.74, (0.6, 0.8), 0.04, 0.05),
    }
    scores = {BASE: 0.6, "fine-tuning": 0.75, "linear-probe-then-fine-tune": 0.62}
    result = {
        **RULE,
        "correlation": {
            "fine-tuning": {"linear-probe-then-fine-tune": 0.4},
            "linear-probe-then-fine-tune": {"fine-tuning": 0.4},
        },
    }
    joined, _ = advice_rule.join(prior, raced(scores, 60), result)
    rng = np.random.default_rng(0)
    cov = np.array([[0.08**2, 0.4 * 0.08 * 0.05], [0.4 * 0.08 * 0.05, 0.05**2]])
    drawn = rng.multivariate_normal([0.0, 0.04], cov, 400_000)
    noise = 0.2 / 60 * np.array([[1.0, 0.5], [0.5, 1.0]])  # the same discordance between every two
    off = np.array([0.15, 0.02]) - drawn
    weight = np.exp(-0.5 * np.einsum("ij,jk,ik->i", off, np.linalg.inv(noise), off))
    mean = (drawn * weight[:, None]).sum(axis=0) / weight.sum()
    found = [joined[name].gain for name in ("fine-tuning", "linear-probe-then-fine-tune")]
    assert found == pytest.approx(mean, abs=0.002)


def test_the_advice_changes_only_beyond_one_standard_error():
    prior = {
        BASE: Expected(BASE, 0.7, (0.6, 0.8), 0.0, 0.0),
        "fine-tuning": Expected("fine-tuning", 0.69, (0.6, 0.8), -0.01, 0.05),
    }
    found = {}
    for score in (0.66, 0.9):
        joined, found[score] = advice_rule.join(prior, raced({BASE: 0.6, "fine-tuning": score}, 50), RULE)
        lead = joined["fine-tuning"].gain
        assert lead > 0, "it leads in both cases"
        assert (lead > joined["fine-tuning"].gain_deviation) == (found[score] == "fine-tuning")
    assert found == {0.66: BASE, 0.9: "fine-tuning"}


def test_few_examples_that_agree_do_not_make_two_models_the_same():
    one = raced({BASE: 0.5, "fine-tuning": 0.5}, 6, error=0.0)
    many = raced({BASE: 0.5, "fine-tuning": 0.5}, 600, error=0.0)
    assert one.variance(BASE, "fine-tuning") ** 0.5 == pytest.approx((10 * 0.2 / 16 / 6) ** 0.5)
    assert many.variance(BASE, "fine-tuning") ** 0.5 < 0.003
    assert one.variance(BASE, BASE) == 0


def test_who_fell_behind_in_the_race_is_not_expected_to_lead(known):
    expected = advice_rule.expect(Situation.of(evidence(per_class=64, probe=0.6)))
    assert advice_rule.best(expected) == "fine-tuning"
    scores = {BASE: 0.7, "linear-probe-then-fine-tune": 0.7}
    joined, strategy = advice_rule.join(expected, raced(scores, 50, dropped=("fine-tuning",)), RULE)
    assert strategy in scores
    assert joined["fine-tuning"].gain <= max(joined[name].gain for name in scores)


def test_the_map_agrees_with_the_advice(known):
    here = Situation.of(evidence(probe=0.7))
    sizes, alike = [4.0, 32.0, 256.0], [0.1, 0.5, 0.9]
    for similarity, row in zip(alike, advice_rule.regions(here, sizes, alike), strict=True):
        for n, said in zip(sizes, row, strict=True):
            one = Situation(n, here.probe, here.probe_interval, here.classes, similarity)
            assert said == advice_rule.best(advice_rule.expect(one))
    assert len({name for row in advice_rule.regions(here, sizes, alike) for name in row}) > 1


def test_advice_before_anything_is_measured_rests_on_counts():
    result = advise(evidence(per_class=10).model_copy(update={"transferability": None}))
    assert result.strategy == BASE
    assert result.choices == []
    assert result.risk is None
    assert "has not been measured" in " ".join(result.to_json()["reasons"])


def test_measured_advice_tells_what_to_expect(known):
    result = advise(evidence(per_class=64, probe=0.6))
    assert result.strategy == result.choices[0].strategy == "fine-tuning"
    assert {one.strategy for one in result.choices} == {BASE, *RULE["strategies"]}
    for one in result.choices:
        assert one.interval[0] <= one.expected <= one.interval[1]
    assert 0 < result.risk < 1
    assert "60" in str(result.reasons[0])


def test_more_labels_change_the_advice_where_the_rule_says(known):
    result = advise(evidence(per_class=8, probe=0.9))
    assert result.strategy == BASE
    n = result.more_labels["per_class"]
    # -0.04 + 0.03 (log2 n - 5) + 0.2 * (0.1 / 0.75) > 0
    turn = 2 ** ((0.04 - 0.2 * 0.1 / 0.75) / 0.03 + 5)
    assert turn <= n * 1.05
    assert n <= turn * 2**0.25 * 1.05
    assert result.more_labels["strategy"] == "fine-tuning"


def test_adapters_stand_for_training_a_large_network(known):
    """The rule's choice is between a head and the whole network; of a large one the latter is done by LoRA."""
    large = {"parameters": 560_000_000, "strategies": [BASE, "fine-tuning", "lora"]}
    result = advise(evidence(per_class=64, probe=0.6, **large))
    assert (result.strategy, result.choices[0].strategy) == ("lora", "fine-tuning")
    assert "560 million" in str(result.reasons[-1])
    result = advise(evidence(per_class=8, probe=0.9, **large))
    assert result.strategy == BASE
    assert result.more_labels["strategy"] == "lora"


def test_a_clearly_better_source_is_named(known):
    def rows(value, score=1.0):
        return [{"id": "other", "score": score, "probe": {"value": value}}, {"id": "here", "score": 0.5, "probe": None}]

    assert advise(evidence(probe=0.8), rows(0.9)).source == "other"
    assert advise(evidence(probe=0.8), rows(0.84)).source is None, "within its interval"
    assert advise(evidence(probe=0.8), rows(0.9, None)).source is None
    assert advise(evidence(probe=0.8), rows(0.9)[::-1][:1]).source is None


def test_a_race_can_turn_the_advice(known):
    here = evidence(per_class=64, probe=0.6)
    names = (BASE, "fine-tuning", "linear-probe-then-fine-tune")
    race = {
        "metric": "accuracy",
        "n_validation": 2000,
        "errors": {a: {b: 0.01 for b in names} for a in names},
        "candidates": [
            {"strategy": name, "rungs": [{"score": score}]} for name, score in zip(names, (0.9, 0.5, 0.6), strict=True)
        ],
    }
    assert advise(here).strategy == "fine-tuning"
    result = advise(here, race=race)
    assert result.strategy == BASE
    assert result.raced
    result = " ".join(i18n._shown(reason, "pt_BR") for reason in result.reasons)
    assert "Extração de características 90 %" in result, "each strategy by its name in the reader's language"


def test_each_material_has_a_rule_and_another_takes_no_similarity():
    texts = Situation.of(evidence(modality="text"))
    assert (texts.modality, texts.similarity) == ("text", 0.5)
    assert advice_rule.expect(texts) != advice_rule.expect(Situation.of(evidence())), "each by its own rule"
    sounds = Situation.of(evidence(modality="sound"))
    assert (sounds.modality, sounds.similarity) == ("image", None), "its scale of similarity is another one"
    assert "of texts" in str(advise(evidence(modality="text")).reasons[1])


@pytest.mark.parametrize("material", advice_rule.FITTED_ON)
def test_the_rule_that_is_shipped_can_be_used(material):
    shipped = advice_rule.fitted(material)
    assert shipped["sets"] >= 5
    assert {"fine-tuning", "linear-probe-then-fine-tune", "scratch"} <= set(shipped["strategies"])
    for one in shipped["strategies"].values():
        covariance = np.array(one["covariance"])
        assert covariance.shape == (len(advice_rule.NAMES),) * 2
        assert np.linalg.eigvalsh(covariance).min() >= -1e-6
        assert len(one["weights"]) == len(advice_rule.NAMES)
