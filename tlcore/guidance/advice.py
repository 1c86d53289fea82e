"""Advice: the suggested strategy, its expected accuracy and the reasons."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from tlcore import models as sources
from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.guidance import advice_rule
from tlcore.guidance import domain_shift as shifts
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.evidence_cache import kept
from tlcore.guidance.measurement import LORA, about, measure, with_own_counts
from tlcore.guidance.pilot import kept_pilot
from tlcore.guidance.ranking import kept_ranking

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.store import Store

# Without measurements, advice depends on the examples in the smallest class: below FEW only a head is fitted, from MANY
# on all layers are fine-tuned at once (arXiv 1805.08974, 2202.10054).
FEW, MANY = 25, 400
AMOUNT = 100  # training examples; for a task without classes, only the new head is trained below this number
MOST_LABELS = 32  # largest multiple of the present number of labels for which a change of advice is searched
STRANGE = 0.6  # text similarity below which another source is suggested; docs/guidance.md lists values of real texts
RISKY = 0.2  # chance of negative transfer from which a warning is shown


class Choice(BaseModel):
    """A strategy and its expected accuracy (0-1), with an 80 % interval."""

    strategy: str
    expected: float
    interval: list[float]
    seconds: float | None = None  # rough estimate for the complete run, scratch baseline included


class Advice(BaseModel):
    """The advised strategy, the reasons and the evidence behind them."""

    strategy: str
    reasons: list[Sentence]
    evidence: Evidence
    # reachable sources {"id", "score", "probe"}, best first
    sources: list[dict[str, Any]] = Field(default_factory=list)
    source: str | None = None  # a better source for this dataset than the measured one, if any
    choices: list[Choice] = Field(default_factory=list)  # every strategy considered, the advised one first
    risk: float | None = None  # probability that training from scratch beats the advised strategy
    # {"per_class", "strategy"}: the number of examples at which the advice changes
    more_labels: dict[str, Any] | None = None
    raced: bool = False
    shift: shifts.Shift | None = None  # domain shift of an unlabelled dataset, if one is given
    offers: list[str] = Field(default_factory=list)  # strategies that can learn from the unlabelled dataset

    def to_json(self) -> dict[str, Any]:
        """The JSON that the command line prints; reasons are English sentences."""
        return {**self.model_dump(mode="json"), "reasons": [str(reason) for reason in self.reasons]}


def advise(
    evidence: Evidence,
    sources: list[dict[str, Any]] | None = None,
    race: Mapping[str, Any] | None = None,
    shift: shifts.Shift | None = None,
) -> Advice:
    """Advice from the fitted rule, or from the counts alone if the probe was not measured.

    ``sources``: rows {"id", "score", "probe"}, best first. ``race``: the result of a pilot on the same dataset and
    source; it is combined with the rule's expectation. ``shift``: the domain shift of an unlabelled dataset.
    """
    here = advice_rule.Situation.of(evidence)
    if here is not None:
        advice = _by_rule(here, evidence, race)
    else:
        advice = _by_counts(evidence) if evidence.n_per_class else _by_amount(evidence)
    if (spared := _spared(advice.strategy, evidence)) != advice.strategy:
        advice.strategy = spared
        advice.reasons.append(_large(evidence))
    advice.sources = sources or []
    _better_source(advice)
    if shift is not None:
        advice.shift, advice.offers = shift, shift.offers
        advice.reasons.extend(shifts.in_words(shift))
    if evidence.imbalance > 10:
        advice.reasons.append(
            sentence(
                "The largest class has {times} times the examples of the smallest; look at macro-F1, not at "
                "accuracy alone.",
                times=evidence.imbalance,
            )
        )
    return advice


def kept_advice(
    store: Store, dataset: Dataset, source_id: str, unlabelled: str | None = None, owner: str | None = None
) -> Advice:
    """Advice from the cached measurements of a dataset and a source. Does not import torch.

    ``unlabelled`` is the fingerprint of an unlabelled dataset. ``owner`` is the person the advice is for
    (`kept_ranking`).
    """
    found = kept(store, dataset.fingerprint, source_id)
    evidence = with_own_counts(found, dataset) if found else measure(dataset)
    with contextlib.suppress(UnusableInput):  # the page reports an unknown source elsewhere
        evidence = about(evidence, tasks.find(dataset.info.task), sources.known(source_id, store))
    shift = shifts.kept(store, dataset.fingerprint, unlabelled, source_id, owner) if unlabelled else None
    ranking = kept_ranking(store, dataset.fingerprint, owner)
    return advise(evidence, ranking, kept_pilot(store, dataset.fingerprint, source_id), shift)


def title(strategy: str) -> Sentence:
    from tlcore.strategies import find

    return find(strategy).title


def _by_rule(here: advice_rule.Situation, evidence: Evidence, race: Mapping[str, Any] | None) -> Advice:
    fitted = advice_rule.fitted(here.modality)
    expected = advice_rule.expect(here)
    strategy, raced = advice_rule.best(expected), _raced(race)
    if raced:
        expected, strategy = advice_rule.join(expected, raced, fitted)
    risk = advice_rule.risk(expected, strategy)
    low, high = here.probe_interval
    reasons = [
        sentence(
            "A linear head on the frozen features reached {probe} % in cross-validation ({low} to {high}), with "
            "{n} training examples a class: so much can be expected of feature extraction.",
            probe=_percent(here.probe),
            low=_percent(low),
            high=_percent(high),
            n=round(here.per_class),
        )
    ]
    chosen = expected[strategy]
    params = {
        "strategy": title(strategy),
        "value": _percent(chosen.value),
        "low": _percent(chosen.interval[0]),
        "high": _percent(chosen.interval[1]),
        "cells": fitted["cells"],
        "sets": fitted["sets"],
        "kind": advice_rule.FITTED_ON[here.modality],
    }
    if strategy == advice_rule.BASE:
        reasons.append(
            sentence(
                "Training more of the network is not expected to gain anything here, by {cells} trainings on {sets} "
                "data sets of {kind} with as many examples and as much left to gain; and it takes longer.",
                **params,
            )
        )
    else:
        reasons.append(
            sentence(
                "{strategy} is expected to reach {value} % (four times in five between {low} and {high}), by {cells} "
                "trainings on {sets} data sets of {kind} with as many examples and as much left to gain.",
                **params,
            )
        )
    if raced:
        reasons.append(
            sentence(
                "The pilot on your data has been counted in: {scores} on validation data.",
                scores=[
                    sentence("{strategy} {percent} %", strategy=title(name), percent=_percent(value))
                    for name, value in raced.scores.items()
                ],
            )
        )
        ahead = max(advice_rule.ordered(raced.scores.keys() & expected.keys()), key=lambda name: expected[name].gain)
        if expected[ahead].gain > chosen.gain:
            reasons.append(
                sentence(
                    "{strategy} leads after the pilot, but by less than one standard error: the advice stays.",
                    strategy=title(ahead),
                )
            )
    if here.similarity is not None:
        reasons.append(_alike(here.similarity, fitted["mean_similarity"]))
    reasons.extend(_read(evidence))
    if risk is not None:
        text = {"risk": max(1, round(100 * risk))}
        reasons.append(
            sentence(
                "Negative transfer is a risk here: training from scratch does better with a chance of about {risk} %. "
                "Watch the comparison with the twin, and try another source model.",
                **text,
            )
            if risk >= RISKY
            else sentence("The chance that training from scratch does better is about {risk} %.", **text)
        )
    more = _more_labels(here, evidence, strategy)
    if more:
        reasons.append(
            sentence(
                "With about {n} examples a class instead of {now}, the advice would become: {strategy}.",
                n=more["per_class"],
                now=round(here.per_class),
                strategy=title(more["strategy"]),
            )
        )
    order = sorted(expected.values(), key=lambda one: (one.strategy != strategy, -one.gain))
    choices = [Choice(strategy=one.strategy, expected=one.value, interval=list(one.interval)) for one in order]
    return Advice(
        strategy=strategy,
        reasons=reasons,
        evidence=evidence,
        choices=choices,
        risk=risk,
        more_labels=more,
        raced=raced is not None,
    )


def _raced(race: Mapping[str, Any] | None) -> advice_rule.PilotScores | None:
    """The pilot's scores of the strategies that reached its last round.

    None without a pilot, or if it cannot be combined with the rule: its metric is not accuracy, it has no standard
    errors, or LoRA took part, which the rule does not cover.
    """
    if not race or race.get("metric", "accuracy") != "accuracy" or "errors" not in race:
        return None
    if LORA in (one["strategy"] for one in race["candidates"]):
        return None
    last = {one["strategy"]: one["rungs"][-1]["score"] for one in race["candidates"] if one["rungs"]}
    scores = {name: score for name, score in last.items() if name in race["errors"]}
    return advice_rule.PilotScores(scores, race["errors"], int(race["n_validation"]), tuple(set(last) - set(scores)))


def _alike(similarity: float, usual: float) -> Sentence:
    params = {"similarity": round(similarity, 2), "usual": round(usual, 2)}
    if similarity < usual - 0.1:
        return sentence(
            "Your data look unlike what the source model was trained on: similarity {similarity} of 1, where "
            "{usual} is usual.",
            **params,
        )
    if similarity > usual + 0.1:
        return sentence(
            "Your data look much like what the source model was trained on: similarity {similarity} of 1, "
            "where {usual} is usual.",
            **params,
        )
    return sentence(
        "Your data are about as similar to the source's as is usual: similarity {similarity} of 1, where "
        "{usual} is usual.",
        **params,
    )


def _read(evidence: Evidence) -> list[Sentence]:
    """Reasons about how well the source's tokenizer fits the texts; empty if there are no texts."""
    fertility = next((part for part in evidence.similarity_parts if part.id == "fertility"), None)
    if fertility is None or evidence.similarity is None:
        return []
    found = [
        sentence(
            "The source model cuts a word of your texts into {here} pieces in the mean; ordinary text of the "
            "language that it reads best takes {near}, random letters {far} (similarity {similarity} of 1).",
            **{name: round(fertility.raw[name], 2) for name in ("here", "near", "far")},
            similarity=round(evidence.similarity, 2),
        )
    ]
    if evidence.similarity < STRANGE:
        found.append(
            sentence(
                "That is far from what it reads well: a source model that was trained on the language of your "
                "texts, or on many languages, will probably do better."
            )
        )
    return found


def _more_labels(here: advice_rule.Situation, evidence: Evidence, strategy: str) -> dict[str, Any] | None:
    """The fewest examples per class at which another strategy is expected to be best; at most 32 times as many.

    The probe's accuracy grows along the learning curve if one was measured; otherwise it stays constant.
    """
    curve = evidence.size.learning_curve if evidence.size else None
    times = 1.0
    while times < MOST_LABELS:
        times *= 2**0.25
        probe = here.probe
        if curve:
            fit, n = curve.fit, evidence.n_train
            gain = fit["a"] * (n ** -fit["b"] - (times * n) ** -fit["b"])
            probe = min(1.0, here.probe + max(0.0, gain))
        then = replace(here, per_class=times * here.per_class, probe=probe)
        best = _spared(advice_rule.best(advice_rule.expect(then)), evidence)
        if best != _spared(strategy, evidence):
            return {"per_class": _round(then.per_class), "strategy": best}
    return None


def _spared(strategy: str, evidence: Evidence) -> str:
    """The strategy, or LoRA instead if it would train all of a large network (`measurement.advised_strategies`)."""
    return LORA if LORA in evidence.strategies and strategy != advice_rule.BASE else strategy


def _large(evidence: Evidence) -> Sentence:
    return sentence(
        "The source model has {millions} million parameters: small matrices beside its attention layers are "
        "trained instead of all of them, which takes far less memory.",
        millions=round((evidence.parameters or 0) / 1e6),
    )


def _round(n: float) -> int:
    """``n`` rounded to two significant digits, the precision of the rule."""
    step = 10 ** max(0, len(str(int(n))) - 2)
    return int(round(n / step) * step)


def _better_source(advice: Advice) -> None:
    """Name the best-ranked source if its probe is clearly more accurate than that of the measured source."""
    measured = (advice.evidence.source or {}).get("id")
    estimates = advice.evidence.transferability
    best = next((one for one in advice.sources if one.get("score") is not None and one.get("probe")), None)
    if not estimates or not estimates.get("probe") or best is None or best["id"] == measured:
        return
    own, its = estimates["probe"], best["probe"]
    if its["value"] - own["value"] > (own["interval"][1] - own["interval"][0]) / 2:
        advice.source = best["id"]
        advice.reasons.append(
            sentence(
                "Another source model fits your data better: with {source} the linear head reaches {value} % in "
                "cross-validation.",
                source=best["id"],
                value=_percent(its["value"]),
            )
        )


def _by_counts(evidence: Evidence) -> Advice:
    """First advice before any measurement, from the number of examples in the smallest class."""
    n = evidence.fewest
    reasons: list[Sentence] = [
        sentence(
            "The smallest class has {n} examples to train on; there are {total} in all.", n=n, total=evidence.n_train
        )
    ]
    if n < FEW:
        strategy = advice_rule.BASE
        reasons.append(
            sentence(
                "With under {few} a class, training the whole network mostly learns the examples by heart; "
                "a head on frozen features is safer, and done in seconds.",
                few=FEW,
            )
        )
    elif n < MANY:
        strategy = "linear-probe-then-fine-tune"
        reasons.append(
            sentence(
                "With {few} to {many} a class there is enough to adapt the network, if it starts from a "
                "head that already fits.",
                few=FEW,
                many=MANY,
            )
        )
    else:
        strategy = "fine-tuning"
        reasons.append(sentence("With {many} or more a class, all layers can be trained.", many=MANY))
    reasons.append(
        sentence(
            "This is a first advice from counts alone; how well the source model suits your data has not been "
            "measured yet."
        )
    )
    return Advice(strategy=strategy, reasons=reasons, evidence=evidence)


def _by_amount(evidence: Evidence) -> Advice:
    """Advice for a task without classes, from the number of training examples alone."""
    n, known = evidence.n_train, evidence.strategies
    reasons: list[Sentence] = [sentence("There are {n} examples to train on.", n=n)]
    if n < AMOUNT and advice_rule.BASE in known:
        strategy = advice_rule.BASE
        reasons.append(
            sentence(
                "With under {few} of them, training the whole network mostly learns them by heart; what is new is "
                "trained on a frozen network.",
                few=AMOUNT,
            )
        )
    elif LORA in known:
        strategy = LORA
        reasons.append(_large(evidence))
    else:
        strategy = "fine-tuning"
        reasons.append(sentence("With so many, or with nothing new to train alone, all layers are trained."))
    reasons.append(sentence("For this task the advice goes by the number of examples alone."))
    reasons.extend(_read(evidence))
    return Advice(strategy=strategy, reasons=reasons, evidence=evidence)


def _percent(share: float) -> float:
    return round(100 * share, 1)
