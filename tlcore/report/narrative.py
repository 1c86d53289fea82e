"""The narrative of a report: the verdict, its basis and further findings as plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import calibration, operating_points, score_text, statistics
from tlcore.report import auxiliary_tasks, baselines, domains
from tlcore.report.heading import simpler

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric
    from tlcore.tasks.contract import Task


def sentences(report: dict[str, Any], task: Task) -> dict[str, Sentence]:
    """All sentences of a report by id: the verdict, its basis, and the scores in plain words."""
    metric = task.metrics[0]
    packed = report["packed"]
    found = {"verdict": verdict_sentence(report, metric)}
    if metric.share and metric.id == "accuracy":
        found["plain"] = statistics.in_plain_words(packed["value"], packed["interval"])
        if report["visible_difference"] is not None:
            found["visible"] = sentence(
                "With {n} test examples and {seeds} seeds a difference under {points} points cannot be seen: a true "
                "one of that size is found in four cases of five, a smaller one less often.",
                n=report["n_test"],
                seeds=report["seeds"],
                points=round(100 * report["visible_difference"], 1),
            )
    if report.get("tested_on"):
        found["tested_on"] = sentence(
            "The score is on the target domain: {n} examples of {name}, which were not learned from and chose nothing.",
            n=report["n_test"],
            name=report["tested_on"],
        )
    elif "tested_on" in report:
        found["tested_on"] = sentence(
            "No labelled examples of the target domain were given: the score is on the source domain, and says little "
            "of the target domain."
        )
    if report.get("tasks"):
        found["tasks"] = auxiliary_tasks.summary(report["tasks"])
    if domain_distance := report.get("measured", {}).get("target-choice"):
        found["domains"] = domains.summary(domain_distance)
    if "plainer" in report:
        found["plainer"] = ablation_sentence(report, metric)
    if against := baselines.summary(report["naive"], metric):
        found["naive"] = against
    if "calibration" in report:
        found["calibration"] = calibration.summary(report["calibration"])
    if "thresholds" in report:
        found["thresholds"] = operating_points.summary(report["thresholds"], packed, metric)
    stood = report["stood_at"]
    if stood and stood["validation"] is not None and not metric.share:
        found["stood_at"] = sentence(
            "When the transfer run was done, after {seconds} seconds of training, the twin stood at a {metric} of "
            "{value} on validation data.",
            seconds=round(stood["seconds"], 1),
            value=score_text.rounded(stood["validation"], False),
            metric=metric.title,
        )
    elif stood and stood["validation"] is not None:
        found["stood_at"] = sentence(
            "When the transfer run was done, after {seconds} seconds of training, the twin stood at {percent} % "
            "{metric} on validation data.",
            seconds=round(stood["seconds"], 1),
            percent=round(100 * stood["validation"], 1),
            metric=metric.title,
        )
    elif stood:
        found["stood_at"] = sentence(
            "When the transfer run was done, after {seconds} seconds of training, the twin had not finished its first "
            "epoch.",
            seconds=round(stood["seconds"], 1),
        )
    longer = report["twin_budget"]
    if longer and longer["ordinary"] is not None and not metric.share:
        found["twin_budget"] = sentence(
            "The twin had {times} times the ordinary budget. After the ordinary {epochs} epochs it had reached a "
            "{metric} of {ordinary} on validation data, in the end {longer}; the scores here are those of the longer "
            "training.",
            times=longer["times"],
            epochs=longer["epochs"],
            ordinary=score_text.rounded(longer["ordinary"], False),
            longer=score_text.rounded(longer["longer"], False),
            metric=metric.title,
        )
    elif longer and longer["ordinary"] is not None:
        found["twin_budget"] = sentence(
            "The twin had {times} times the ordinary budget. After the ordinary {epochs} epochs it had reached "
            "{ordinary} % {metric} on validation data, in the end {longer} %; the scores here are those of the longer "
            "training.",
            times=longer["times"],
            epochs=longer["epochs"],
            ordinary=round(100 * longer["ordinary"], 1),
            longer=round(100 * longer["longer"], 1),
            metric=metric.title,
        )
    return found


def ablation_sentence(report: dict[str, Any], metric: Metric) -> Sentence:
    """The ablation result: the effect of the strategy against the same training without its addition."""
    from tlcore.strategies import find

    found = report["plainer"]
    value = found["difference"]["value"]
    low, high = (score_text.rounded(end, metric.share) for end in found["difference"]["interval"])
    params = {
        "strategy": find(report["strategy"]).title,
        "plainer": Sentence.model_validate(found["title"]),
        "metric": metric.title,
        "amount": score_text.amount(value, metric),
        "low": low,
        "high": high,
        "n": report["n_test"],
        "seeds": report["seeds"],
    }
    match found["verdict"]:
        case None:
            params["way"] = score_text.way(value, metric)
            return sentence(
                "One seed does not show what {strategy} brings: {metric} is {amount} {way} than in the ablation "
                "“{plainer}” (95 % interval of the improvement {low} to {high}; n = {n} test examples).",
                **params,
            )
        case "transfer-helps":
            return sentence(
                "{strategy} helps: {metric} is {amount} better than in the ablation “{plainer}” (95 % interval {low} "
                "to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case "negative-transfer":
            return sentence(
                "{strategy} hurts here: {metric} is {amount} worse than in the ablation “{plainer}” (95 % interval "
                "of the difference {low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case _ if value < 0:
            return sentence(
                "{strategy} makes no clear difference: {metric} is {amount} worse than in the ablation “{plainer}” "
                "(95 % interval of the difference {low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case _:
            return sentence(
                "{strategy} makes no clear difference: {metric} is {amount} better than in the ablation “{plainer}” "
                "(95 % interval {low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )


def verdict_sentence(report: dict[str, Any], metric: Metric) -> Sentence:
    """The verdict in one sentence, with n and interval."""
    if report["difference"] is None:
        return sentence("There is no from-scratch twin to compare with, so there is no verdict.")
    if not score_text.usual(metric):
        return _in_its_units(report, metric)
    low, high = (round(100 * end, 1) for end in report["difference"]["interval"])
    value = round(100 * report["difference"]["value"], 1)
    params = {
        "metric": metric.title,
        "low": low,
        "high": high,
        "n": report["n_test"],
        "seeds": report["seeds"],
        "reference": (report.get("reference") or {}).get("title") or baselines.SCRATCH,
    }
    match report["verdict"]:
        case None:
            params.pop("seeds")
            if value < 0:
                return sentence(
                    "One seed gives no verdict on the recipe: this model's {metric} is {value} points below "
                    "{reference} (95 % interval of the difference {low} to {high}, n = {n}), and training again with "
                    "another seed moves it.",
                    value=-value,
                    **params,
                )
            return sentence(
                "One seed gives no verdict on the recipe: this model's {metric} is {value} points above {reference} "
                "(95 % interval {low} to {high}, n = {n}), and training again with another seed moves it.",
                value=value,
                **params,
            )
        case "transfer-helps":
            return sentence(
                "Transfer helps: {metric} is {value} points above {reference} (95 % interval {low} to {high}; "
                "n = {n} test examples, {seeds} seeds).",
                value=value,
                **params,
            )
        case "negative-transfer" if simpler(report):
            return sentence(
                "A simpler way does better: {metric} is {value} points below {reference} (95 % interval of the "
                "difference {low} to {high}; n = {n} test examples, {seeds} seeds).",
                value=-value,
                **params,
            )
        case "negative-transfer":
            return sentence(
                "Negative transfer: {metric} is {value} points below {reference} (95 % interval of the "
                "difference {low} to {high}; n = {n} test examples, {seeds} seeds).",
                value=-value,
                **params,
            )
        case _ if value < 0:
            return sentence(
                "No clear difference: {metric} is {value} points below {reference}, but the 95 % interval of "
                "the difference, {low} to {high}, does not settle it (n = {n} test examples, {seeds} seeds).",
                value=-value,
                **params,
            )
        case _ if value > 0:
            return sentence(
                "No clear difference: {metric} is {value} points above {reference}, but the 95 % interval of "
                "the difference, {low} to {high}, does not settle it (n = {n} test examples, {seeds} seeds).",
                value=value,
                **params,
            )
        case _:
            return sentence(
                "No clear difference: {metric} is the same as with {reference} (95 % interval of the "
                "difference {low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )


def _in_its_units(report: dict[str, Any], metric: Metric) -> Sentence:
    """The verdict for a metric that is not a share (0-1) or where lower is better: size and direction."""
    difference = report["difference"]
    low, high = (score_text.rounded(end, metric.share) for end in difference["interval"])
    params = {
        "metric": metric.title,
        "amount": score_text.amount(difference["value"], metric),
        "way": score_text.way(difference["value"], metric),
        "low": low,
        "high": high,
        "n": report["n_test"],
        "seeds": report["seeds"],
        "reference": (report.get("reference") or {}).get("title") or baselines.SCRATCH,
    }
    match report["verdict"]:
        case None:
            return sentence(
                "One seed gives no verdict on the recipe: this model's {metric} is {amount} {way} than with "
                "{reference} (95 % interval of the improvement {low} to {high}, n = {n}), and training again with "
                "another seed moves it.",
                **params,
            )
        case "transfer-helps":
            return sentence(
                "Transfer helps: {metric} is {amount} {way} than with {reference} (95 % interval of the improvement "
                "{low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case "negative-transfer" if simpler(report):
            return sentence(
                "A simpler way does better: {metric} is {amount} {way} than with {reference} (95 % interval of the "
                "improvement {low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case "negative-transfer":
            return sentence(
                "Negative transfer: {metric} is {amount} {way} than with {reference} (95 % interval of the improvement "
                "{low} to {high}; n = {n} test examples, {seeds} seeds).",
                **params,
            )
        case _:
            return sentence(
                "No clear difference: {metric} is {amount} {way} than with {reference}, but the 95 % interval of the "
                "improvement, {low} to {high}, does not settle it (n = {n} test examples, {seeds} seeds).",
                **params,
            )
