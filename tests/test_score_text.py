"""Wording of scores that are no shares, or of which less is better: never in points, never the wrong way round."""

from __future__ import annotations

import pytest

from tlcore.core.i18n import sentence, set_language_provider
from tlcore.evaluation import score_text
from tlcore.evaluation.records import Metric
from tlcore.report import baselines, narrative, score_units

PERPLEXITY = Metric("perplexity", sentence("perplexity"), higher_is_better=False, share=False, smallest=0.1)
ERRORS = Metric("errors", sentence("perplexity"), higher_is_better=False)
BITS = Metric("bits", sentence("perplexity"), share=False)
VERDICTS = ("transfer-helps", "negative-transfer", "no-clear-difference", None)


def report(value: float, verdict: str | None) -> dict:
    return {
        "difference": {"value": value, "interval": [value - 1, value + 1]},
        "verdict": verdict,
        "n_test": 50,
        "seeds": 3,
        "reference": {"id": "x", "title": sentence("the source model as it is").model_dump()},
    }


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("value", [3.25, -3.25])
def test_a_worse_perplexity_never_reads_as_above(verdict, value):
    """A difference above 0 means better: of a perplexity, lower."""
    result = str(narrative.verdict_sentence(report(value, verdict), PERPLEXITY))
    assert ("3.25 lower than" if value > 0 else "3.25 higher than") in result
    for word in ("points", "above", "below", "%-", "twin"):
        assert word not in result
    assert "the source model as it is" in result


def test_an_error_rate_keeps_its_points_and_a_plain_score_its_direction():
    assert "3.2 points lower" in str(narrative.verdict_sentence(report(0.032, "transfer-helps"), ERRORS))
    assert "0.8 points higher" in str(narrative.verdict_sentence(report(-0.008, "no-clear-difference"), ERRORS))
    assert "3.25 higher" in str(narrative.verdict_sentence(report(3.25, "transfer-helps"), BITS))


@pytest.mark.parametrize(
    ("value", "beaten", "says"),
    [
        (2.0, True, "beats the simple baselines too: its perplexity is 2 lower"),
        (-2.0, False, "does better: counting reaches a perplexity of 24.8; the trained model's is 2 higher"),
        (0.5, False, "does as well: counting reaches a perplexity of 24.8; the trained model's is 0.5 lower"),
    ],
)
def test_the_naive_is_told_the_right_way_round(value, beaten, says):
    entry = {
        "title": sentence("counting").model_dump(),
        "value": 24.84,
        "beaten": beaten,
        "difference": {"value": value, "interval": [value - 1, value + 1]},
    }
    assert says in str(baselines.summary([entry], PERPLEXITY))


def test_numbers_and_their_differences_in_both_languages():
    assert score_text.value(0.1234, True) == "12.3 %"
    assert [score_text.value(x, False) for x in (0.01234, 1.234, 12.34, 1234.5)] == ["0.012", "1.23", "12.3", "1,234"]
    assert score_text.signed_difference(0.0123, True) == "+1.2 points"
    assert score_text.signed_difference(-2.345, False) == "-2.34"
    assert score_text.difference_span([-0.5, 12.25], False) == "-0.50 to 12.2"
    assert score_text.value(None, True) == "–"
    set_language_provider(lambda: "pt_BR")
    try:
        assert score_text.value(12.34, False) == "12,3"
        assert score_text.signed_difference(0.0123, True) == "+1,2 pontos"
    finally:
        set_language_provider(lambda: "en")


def test_the_twin_is_told_without_per_cent():
    from tlcore import tasks

    task = tasks.find("text-generation")
    found = narrative.sentences(
        {
            **report(3.0, "transfer-helps"),
            "packed": {"value": 20.0, "interval": [18, 22]},
            "naive": [],
            "stood_at": {"seconds": 4.0, "validation": 31.53, "seeds": 3, "of": 3},
            "twin_budget": {"times": 2, "epochs": 8, "ordinary": 40.06, "longer": 33.0},
            "visible_difference": None,
        },
        task,
    )
    assert "stood at a perplexity of 31.5 on" in str(found["stood_at"])
    assert "reached a perplexity of 40.1 on validation data, in the end 33;" in str(found["twin_budget"])
    assert "plain" not in found


def test_what_cannot_be_is_in_no_interval_and_no_suggestion():
    """Seeds far apart, as a twin has them on few examples: no perplexity lies below 1. No strategy that is refused."""
    import numpy as np

    from tlcore import tasks
    from tlcore.evaluation import statistics
    from tlcore.evaluation.records import Records
    from tlcore.report import explanation

    task = tasks.find("text-generation")

    def seed(nats):
        ones = np.ones(20)
        columns = {"loss": nats * 10 * ones, "tokens": 10 * ones, "hits": ones, "characters": 30 * ones}
        return Records([str(i) for i in range(20)], np.arange(20), columns)

    found = statistics.intervals(task, [seed(0.5), seed(0.6), seed(2.5)], {})
    assert found["perplexity"].interval[0] == 1.0
    assert found["perplexity"].interval[1] > 10
    result = {
        "task": task.id,
        "metric": "perplexity",
        "strategy": "fine-tuning",
        "difference": {"value": -1.0},
        "reference": {"id": "n-gram", "title": sentence("the source model as it is").model_dump()},
    }
    kinds = [(one["kind"], one["id"]) for one in explanation.suggestions(result, "bundled/studio-writer", [], True)]
    assert ("reference", None) in kinds
    assert not {"feature-extraction", "linear-probe-then-fine-tune", "scratch"} & {name for _, name in kinds}


def test_a_difference_says_from_what_where_it_is_not_from_the_twin_beside_it():
    assert score_units.difference(report(1, None)) == "Difference from the source model as it is"
    scratch = {"id": "twin", "title": baselines.SCRATCH.model_dump()}
    assert score_units.difference({"reference": scratch}) == "Difference"
    assert score_units.difference({}) == "Difference"
