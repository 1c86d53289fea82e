"""Why transfer did not help: signs before and during training, and suggestions of what to try next.

Only for a negative verdict, or a difference whose interval leans clearly that way. Nothing here is proof: each sign
compares a number with a reference value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import guidance
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation import score_text

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Metric
    from tlcore.guidance import Evidence
    from tlcore.report.context import RunContext

LOW = 0.5  # similarity (0-1) below which the source's data count as dissimilar
APART = 0.05  # scores (shares 0-1) that differ by more than this count as different
# Strategies that train more or fewer layers than the one that did not help, in order of preference.
INSTEAD = {
    "feature-extraction": ("linear-probe-then-fine-tune", "fine-tuning"),
    "linear-probe-then-fine-tune": ("fine-tuning",),
    "fine-tuning": ("linear-probe-then-fine-tune", "feature-extraction"),
}
NEEDS_MORE = ("domain-adaptation",)  # suggested if the task has them


def leans(report: dict[str, Any]) -> str | None:
    """``negative`` if the verdict is negative transfer; ``leaning`` if the difference is large and mostly below 0.

    Large: at least the smallest difference of interest. Mostly: the interval's upper bound is under half the distance
    of its lower bound from 0. Else None.
    """
    difference = report["difference"]
    if difference is None:
        return None
    if report["verdict"] == "negative-transfer":
        return "negative"
    low, high = difference["interval"]
    return "leaning" if difference["value"] <= -report["smallest_difference"] and high < -low / 2 else None


def explain(context: RunContext, report: dict[str, Any], points: pd.DataFrame) -> dict[str, Any] | None:
    """Signs and suggestions; None unless the result leans to negative transfer.

    Keys: ``kind`` (see `leans`), ``signs`` [{id, about, sentence}] and ``suggestions`` [{kind, id, sentence, draft}].
    ``about`` is ``evidence`` (known before training) or ``training``; ``draft`` has the fields of the Spec to change.
    """
    kind = leans(report)
    if kind is None:
        return None
    fingerprint, source = context.dataset.fingerprint, context.source.source.id
    evidence = guidance.kept(context.store, fingerprint, source)
    ranking = guidance.kept_ranking(context.store, fingerprint, context.owner)
    signs = [*evidence_signs(report, evidence), *training_signs(report, points, context.plan)]
    return {
        "kind": kind,
        "signs": [{"id": name, "about": about, "sentence": text.model_dump()} for name, about, text in signs],
        "suggestions": suggestions(report, source, ranking, evidence is not None),
    }


def evidence_signs(report: dict[str, Any], evidence: Evidence | None) -> list[tuple[str, str, Sentence]]:
    """Signs (id, "evidence", sentence) from measurements before training that speak against this source."""
    if evidence is None:
        return [
            (
                "not-measured",
                "evidence",
                sentence("Similarity and transferability of this source were not measured before training."),
            )
        ]
    found = []
    if evidence.similarity is not None and evidence.similarity < LOW:
        found.append(
            (
                "similarity",
                sentence(
                    "Your data are unlike what the source model was trained on: similarity "
                    "{value} on a scale of 0 to 1.",
                    value=round(evidence.similarity, 2),
                ),
            )
        )
    probe = (evidence.transferability or {}).get("probe")
    scratch_score = _validation(report, "baseline")
    if probe and scratch_score is not None and report["metric"] == "accuracy" and probe["value"] < scratch_score:
        found.append(
            (
                "transferability",
                sentence(
                    "Before training, a linear head on the source's features reached {probe} % in cross-validation; "
                    "the twin reaches {twin} % on validation data.",
                    probe=round(100 * probe["value"], 1),
                    twin=round(100 * scratch_score, 1),
                ),
            )
        )
    if not found:
        found.append(
            (
                "no-warning",
                sentence(
                    "What was measured before training gave no warning (similarity {similarity}).",
                    similarity="–" if evidence.similarity is None else round(evidence.similarity, 2),
                ),
            )
        )
    return [(name, "evidence", text) for name, text in found]


def training_signs(
    report: dict[str, Any], points: pd.DataFrame, plan: dict[str, Any]
) -> list[tuple[str, str, Sentence]]:
    """Signs from training: under-fitting features, a stagnant loss, over-fitting, overtaken by the scratch baseline."""
    found: list[tuple[str, Sentence]] = []
    ours, its = report["gap"].get("transfer"), report["gap"].get("twin")
    metric = _metric(report)
    if ours and its and score_text.usual(metric):
        if ours["train"] < its["train"] - APART:
            params = {"transfer": round(100 * ours["train"], 1), "twin": round(100 * its["train"], 1)}
            found.append(
                (
                    "cannot-fit",
                    sentence(
                        "The frozen features cannot tell even the training examples apart: {transfer} % right, the "
                        "twin's own features {twin} %.",
                        **params,
                    )
                    if _frozen(plan)
                    else sentence(
                        "The transfer run fits the training examples less well than the twin: {transfer} % right "
                        "against {twin} %.",
                        **params,
                    ),
                )
            )
        if ours["gap"] > its["gap"] + APART:
            found.append(
                (
                    "over-fitting",
                    sentence(
                        "It over-fits more than the twin: {transfer} points between training and validation data, the "
                        "twin's gap is {twin}.",
                        transfer=round(100 * ours["gap"], 1),
                        twin=round(100 * its["gap"], 1),
                    ),
                )
            )
    stuck = _stuck(points)
    if stuck is not None:
        found.append(
            (
                "stuck",
                sentence(
                    "Its training loss hardly moved: it ended {percent} % below where it began.",
                    percent=round(100 * stuck),
                ),
            )
        )
    seconds = overtaken(
        points, f"validation_{report['metric']}", _validation(report, "transfer"), metric.higher_is_better
    )
    if seconds is not None:
        found.append(
            (
                "overtaken",
                sentence(
                    "The twin passed the transfer run's final validation score after {seconds} seconds of training.",
                    seconds=round(seconds, 1),
                ),
            )
        )
    return [(name, "training", params) for name, params in found]


def overtaken(points: pd.DataFrame, column: str, final: float | None, higher: bool = True) -> float | None:
    """Seconds of training after which the scratch baseline's best validation score (mean over seeds) beats ``final``.

    None if it never does.
    """
    if final is None or points.empty or column not in points:
        return None
    scratch_points = points[(points["arm"] == "twin") & (points["trial"] == "final") & points[column].notna()]
    if scratch_points.empty:
        return None
    table = scratch_points.pivot_table(index="seconds", columns="seed", values=column).sort_index().ffill()
    above = (table.cummax() if higher else table.cummin()).dropna().mean(axis=1)
    above = above[above > final if higher else above < final]
    return float(above.index[0]) if len(above) else None


def suggestions(
    report: dict[str, Any], source: str, ranking: Sequence[dict[str, Any]], measured: bool
) -> list[dict[str, Any]]:
    """What to try next, the most promising first: [{kind, id, sentence, draft}]."""
    from tlcore import strategies, tasks

    titles = {one.id: one.title for one in strategies.serving(tasks.find(report["task"]))}
    out: list[dict[str, Any]] = []

    def add(kind: str, name: str | None, text: Sentence, **draft: Any) -> None:
        out.append({"kind": kind, "id": name, "sentence": text.model_dump(), "draft": draft})

    own = next((row["score"] for row in ranking if row["id"] == source), None)
    better = next(
        (
            row
            for row in ranking
            if row["score"] is not None and row["id"] != source and (own is None or row["score"] > own)
        ),
        None,
    )
    if better:
        add(
            "source",
            better["id"],
            sentence(
                "Another source model: {title}, whose features reach {percent} % on your data in cross-validation.",
                title=better["title"],
                percent=round(100 * better["probe"]["value"], 1),
            ),
            source=better["id"],
        )
    elif not measured or len(ranking) < 2:
        add("measure", None, sentence("Measure which source models suit your data; it takes about a minute."))
    for strategy in (*INSTEAD.get(report["strategy"], ()), *NEEDS_MORE):
        if strategy in titles:
            add(
                "strategy",
                strategy,
                sentence("Another strategy with the same source: {title}.", title=titles[strategy]),
                strategy=strategy,
            )
    best = report.get("reference") or {"id": "twin"}
    if best["id"] != "twin":
        add(
            "reference",
            None,
            sentence("What does best here takes no training of yours: {reference}.", reference=best["title"]),
        )
    elif report["strategy"] != "scratch" and not score_text.usual(_metric(report)):
        add(
            "scratch",
            "scratch",
            sentence("Train from scratch and keep that model: here it did better."),
            strategy="scratch",
        )
    elif report["strategy"] != "scratch":
        add(
            "scratch",
            "scratch",
            sentence(
                "Train from scratch and keep that model: here it scored {points} points higher.",
                points=round(-100 * report["difference"]["value"], 1),
            ),
            strategy="scratch",
        )
    return out


def _metric(report: dict[str, Any]) -> Metric:
    from tlcore import tasks

    return next(one for one in tasks.find(report["task"]).metrics if one.id == report["metric"])


def _frozen(plan: dict[str, Any]) -> bool:
    phases = plan.get("arms", {}).get("transfer", {}).get("phases", [])
    return not any(
        phase["kind"] == "train" and phase["trainable"] == "all" and not phase.get("once") for phase in phases
    )


def _validation(report: dict[str, Any], arm: str) -> float | None:
    """The arm's mean validation score over its seeds; None if there is none."""
    arm_report = report.get(arm)
    values = [seed["validation"].get(report["metric"]) for seed in arm_report["per_seed"]] if arm_report else []
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _stuck(points: pd.DataFrame) -> float | None:
    """The relative decrease (0-1, mean over seeds) of transfer's training loss, if it is under 0.1; else None."""
    if points.empty or "train_loss" not in points:
        return None
    rows = points[(points["arm"] == "transfer") & (points["trial"] == "final") & points["train_loss"].notna()]
    rows = rows.sort_values(["phase", "epoch"]).groupby("seed")["train_loss"]
    if rows.ngroups == 0 or rows.size().min() < 3:
        return None
    fell = float((1 - rows.last() / rows.first()).mean())
    return max(0.0, fell) if fell < 0.1 else None
