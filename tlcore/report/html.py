"""The report as one self-contained HTML file: figures as inline SVG, pictures as data URIs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import i18n
from tlcore.core.i18n import number, percent, t, translate
from tlcore.evaluation import score_text
from tlcore.report import comparison_html, label_savings_html, pre_training_text, score_units, svg
from tlcore.report.curves import series
from tlcore.report.heading import heading
from tlcore.tasks.shared import word_attributions

if TYPE_CHECKING:
    import pandas as pd

WIDEST_MATRIX = 40  # most classes of a confusion matrix that is drawn
ARM_KEYS = (("transfer", "transfer"), ("twin", "baseline"))


def file_name(language: str) -> str:
    """``report.html`` in English, ``report.<language>.html`` otherwise."""
    return "report.html" if language == "en" else f"report.{language}.html"


def render(
    report: dict[str, Any],
    points: pd.DataFrame,
    language: str,
    *,
    plan: dict[str, Any] | None = None,
    figures: Path | None = None,
) -> str:
    """The HTML page in ``language``. ``figures`` is the folder of the pictures that ``report["worst"]`` names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "number": _number,
        "read": translate,
        "duration": _duration,
        "score": score_text.value,
        "span": score_text.span,
        "apart": score_text.signed_difference,
        "apart_span": score_text.difference_span,
    }
    with _in_language(language):
        return environment.get_template("report.html.j2").render(
            r=report,
            s=_strings(report),
            language=language.replace("_", "-"),
            drawings=_drawings(report, points),
            shares=score_units.shares(report),
            share=score_units.share(report),
            plan=json.dumps(plan, indent=1, ensure_ascii=False) if plan else None,
            errors=[
                {
                    **error,
                    "text": error.get("text"),
                    "words": word_attributions.marked(error.get("words") or []),
                    "shown": _inline(figures, error["picture"]),
                    "why": _inline(figures, error["gradcam"]),
                    "sure": error.get("score", error.get("confidence")),
                }
                for error in report.get("worst", [])
            ],
            made=i18n.format_moment(datetime.fromisoformat(report["created"])),
            matrices=_matrices(report),
            comparison=comparison_html.section(report),
            savings=label_savings_html.section(report, share=score_units.share(report)),
            metrics=_metrics(report),
            strategy=_strategy(report["strategy"]),
        )


@contextmanager
def _in_language(language: str) -> Iterator[None]:
    """Set the language of the whole process for the block. Only for the worker and the CLI, which serve one person."""
    before = i18n._language
    i18n.set_language_provider(lambda: language)
    try:
        yield
    finally:
        i18n.set_language_provider(before)


def _drawings(report: dict[str, Any], points: pd.DataFrame) -> list[dict[str, Any]]:
    names = {"transfer": t("transfer"), "baseline": t("from scratch")}
    titles = _metrics(report)
    metric, shares = report["metric"], score_units.shares(report)
    drawings: list[dict[str, Any]] = []
    # All shares are on one axis; every other metric has its own figure.
    for these in ([m for m in shares if shares[m]], *([m] for m in shares if not shares[m])):
        rows = [
            (f"{names[key]}, {titles[m]}", arm, report[key]["metrics"][m], report[key]["intervals"][m])
            for m in these
            for arm, key in ARM_KEYS
            if report[key]
        ]
        drawn = svg.estimates(rows, title=t("Scores on the test set"), share=shares[these[0]]) if rows else None
        if drawn:
            drawings.append({"kind": "scores", "title": t("Scores on the test set"), "svg": drawn})
    for column, title, share in (
        (f"validation_{metric}", t("Validation {metric}", metric=titles[metric]), shares[metric]),
        ("train_loss", t("Training loss"), False),
    ):
        for against, x_title in (("epoch", t("epoch")), ("seconds", t("seconds of training"))):
            drawn = svg.lines(series(points, column, against), title=title, x_title=x_title, share=share)
            if drawn and not (column == "train_loss" and against == "seconds"):
                drawings.append({"kind": "curve", "title": title, "svg": drawn})
    if drawn := svg.lines(
        pre_training_text.series(points), title=t(pre_training_text.TITLE), x_title=t("epoch"), share=False
    ):
        drawings.append({"kind": "curve", "title": t(pre_training_text.TITLE), "svg": drawn})
    if found := report.get("domains"):
        for name, title in (("before", t("Before: the source model")), ("after", t("After: this model"))):
            drawn = svg.scatter(found[name], (found["source"], found["target"]), title=title)
            drawings.append({"kind": "domains", "title": title, "svg": drawn})
    return drawings


def _matrices(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Confusion matrices as table rows with counts and row shares; empty if there are over `WIDEST_MATRIX` classes."""
    labels = report.get("labels") or []
    out = []
    for key, title in (("confusion", t("This model")), ("confusion_baseline", t("From scratch"))):
        counts = report.get(key)
        if counts and len(labels) <= WIDEST_MATRIX:
            rows = [
                {"label": label, "cells": [{"n": n, "share": n / max(1, sum(row))} for n in row]}
                for label, row in zip(labels, counts, strict=True)
            ]
            out.append({"title": title, "rows": rows})
    return out


def _inline(folder: Path | None, name: str | None) -> str | None:
    """A picture as a data URI; None if there is none."""
    if folder is None or not name or not (folder / name).is_file():
        return None
    return "data:image/jpeg;base64," + base64.b64encode((folder / name).read_bytes()).decode()


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return t("{n} s", n=round(seconds, 1)) if seconds < 90 else t("{n} min", n=round(seconds / 60, 1))


def _metrics(report: dict[str, Any]) -> dict[str, str]:
    """The metrics' titles in the current language, by id."""
    from tlcore import tasks

    known = {metric.id: t(metric.title) for metric in tasks.find(report["task"]).metrics}
    return {metric: known.get(metric, metric) for metric in report["transfer"]["metrics"]}


def _strategy(strategy: str) -> str:
    from tlcore.strategies import STRATEGIES

    return next((t(one.title) for one in STRATEGIES if one.id == strategy), strategy)


def _number(value: float | None, digits: int | None = None) -> str:
    return "–" if value is None else number(value, digits)


def _strings(report: dict[str, Any]) -> dict[str, str]:
    """All texts of the template, in the current language."""
    return {
        "title": t("Report: {name}", name=report["name"]),
        "verdict": t(heading(report)),
        "packed": t(
            "The model in the bundle is seed {seed}, chosen on validation data.", seed=report["packed"]["seed"]
        ),
        "scores": t("Scores"),
        "metric": t("Metric"),
        "transfer": t("Transfer"),
        "twin": t("From scratch"),
        "plainer": t("Ablation"),
        "difference": score_units.difference(report),
        "in_bundle": t("Model in the bundle"),
        "n": t("{n} test examples, {seeds} seeds; intervals of 95 %", n=report["n_test"], seeds=report["seeds"]),
        "curves": t("Learning curves"),
        "cost": t("What it cost"),
        "arm": t("Arm"),
        "seconds": t("Training, all seeds"),
        "search": t("Search of settings"),
        "epochs": t("Epochs, each seed"),
        "speed": t("Examples a second"),
        "memory": t("Peak memory, MB"),
        "device": t("Device"),
        "gap": t("Over-fitting"),
        "gap_train": t("On training data"),
        "gap_validation": t("On validation data"),
        "gap_gap": t("Gap"),
        "confusion": t("Confusion matrix"),
        "confusion_how": t("Rows are the truth, columns the prediction; the darker, the larger the share of the row."),
        "most_confused": t("Most confused pairs"),
        "truth": t("Truth"),
        "prediction": t("Prediction"),
        "count": t("Count"),
        "share": t("Share"),
        "per_class": t("Each class") if "confusion" in report else t("Each label"),
        "label": t("Class") if "confusion" in report else t("Label"),
        "examples": t("Examples"),
        "precision": t("Precision"),
        "recall": t("Recall"),
        "f1": t("F1"),
        "threshold": t("Given from"),
        "worst": t("The worst answers, with their scores")
        if any("score" in error for error in report.get("worst", []))
        else t("Errors the model was surest of"),
        "worst_how": t("Left: what the model saw. Right: the places that spoke for its answer, the brighter the more.")
        if any(error.get("picture") for error in report.get("worst", []))
        else t(
            "Words with + and a solid line spoke for its answer, words with − and a dashed line against it; the "
            "stronger the ground, the more."
        )
        if any(error.get("words") for error in report.get("worst", []))
        else "",
        "samples": t("What it writes"),
        "before": t("The source model as it is"),
        "after": t("The trained model"),
        "samples_how": t(
            "Beginnings from the test set, which training never saw; both models with the same settings and seeds."
        ),
        "confidence": t("Confidence"),
        "data": t("Data"),
        "fingerprint": t("Fingerprint"),
        "train": t("Training"),
        "validation": t("Validation"),
        "test": t("Test"),
        "set_aside": t("Rejected"),
        "source": t("Source model"),
        "licence": t("Licence"),
        "revision": t("Revision"),
        "plan": t("Plan"),
        "strategy": t("Strategy"),
        "notes": t("Notes"),
        "versions": t("Versions"),
        "run": t("Run"),
        "made": t("Made"),
        "solved": t("fitted"),
        "unknown": t(
            "{n} test examples have a label that no training example has; each counts as an error.",
            n=report.get("unknown_label", 0),
        ),
    }
