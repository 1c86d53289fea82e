"""Builds the report of a run: one JSON object, read by the pages, the CLI, the HTML file and the model card."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import __version__
from tlcore.core import atomic_files
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.strict_json import to_plain
from tlcore.evaluation import calibration, operating_points, per_class, statistics
from tlcore.modalities.text.languages import shares
from tlcore.models.source_languages import unspoken
from tlcore.report import auxiliary_tasks, domains, explanation, slices
from tlcore.report import baselines as naive
from tlcore.report.narrative import sentences
from tlcore.report.pre_training_text import in_words as once_in_words
from tlcore.report.predictions import worst_answers, write_answers, write_predictions
from tlcore.report.scratch_baseline import longer_budget, stood_at
from tlcore.tasks.shared.test_records import on_test
from tlcore.training.workload import arm_in_words

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Metric, Records
    from tlcore.report.context import RunContext
    from tlcore.tasks.contract import Task
    from tlcore.training.result import ArmResult

FORMAT = 1
PACKAGES = ("torch", "timm", "transformers", "scikit-learn", "numpy", "Pillow", "onnxruntime")
WORST = 12
SCORED = ("transfer", "plainer", "twin")  # the arms that learn the target task


def build(context: RunContext) -> dict[str, Any]:
    """Score the packed weights of every arm and seed on the test set and build the report.

    Writes ``report.json``, ``predictions.csv``, ``figures/`` and the HTML files into the run's folder (each file
    atomically) and returns the report. Units: shares 0-1 (or the metric's own unit), seconds, bytes; unmeasured values
    are null. ``transfer`` and ``baseline`` are means over seeds. ``packed`` is the model in the bundle: the transfer
    seed with the best validation score, selected without the test set.
    """
    task, target, headline = context.task, context.target, context.task.metrics[0]
    cache = context.store.home / "cache" / "pictures"
    every = task.examples(context.dataset, context.processor, target, cache, context.source)
    records = {
        arm: [on_test(task, result.outputs, every, target) for result in results]
        for arm, results in context.arms.items()
        if arm in SCORED
    }
    transfer, scratch = context.arms["transfer"], context.arms.get("twin")
    points = context.store.runs.points(context.run_id)
    best = best_seed(transfer, headline)
    info = context.dataset.info
    report: dict[str, Any] = {
        "format": FORMAT,
        "run": context.run_id,
        "name": context.spec.name,
        "task": task.id,
        "metric": headline.id,
        "n_test": len(records["transfer"][0]),
        "units_test": len(np.unique(records["transfer"][0].unit)),
        "seeds": len(transfer),
        "strategy": context.plan.get("strategy", context.spec.strategy),
        "requested_strategy": context.requested_strategy,
        "transfer": _arm(task, transfer, records["transfer"], target, headline),
        "baseline": _arm(task, scratch, records["twin"], target, headline) if scratch else None,
        "difference": None,
        "verdict": None,
        "reference": None,
        "visible_difference": None,
        "bundle": "bundle.zip",  # in the same folder as report.json, which `Runs.get` of the store gives
        "packed": _packed(task, transfer[best], records["transfer"][best], target, headline),
        "smallest_difference": headline.smallest,
        "dataset": {
            "fingerprint": info.fingerprint,
            "name": info.name,
            "n": info.n,
            "set_aside": info.set_aside,
            "grouped": info.grouped,
            "split_said": info.split_said.model_dump(),
        },
        "source": _source(context),
        "sets": context.plan.get("sets", {}),
        **{name: context.plan[name] for name in ("tested_on",) if name in context.plan},
        "strategy_options": context.plan.get("options", {}),
        "measured": transfer[best].measured,
        "pre_training": transfer[best].shared or None,
        "labels": target.get("labels"),
        "processor": context.processor,
        "stood_at": stood_at(points, transfer, scratch, headline),
        "twin_budget": longer_budget(points, context.plan.get("arms", {}).get("twin") or {}, scratch, headline),
        "cost": {arm: _cost(results) for arm, results in context.arms.items() if arm in SCORED},
        "gap": {arm: _gap(results, headline) for arm, results in context.arms.items() if arm in SCORED},
        "notes": [note.model_dump() for note in _notes(context)],
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    baselines = task.baselines(context.dataset, every, target, context.source)
    report["naive"] = naive.compare(task, baselines, records["transfer"], target)
    if scratch:
        report["reference"], others = naive.reference(task, report, baselines, records["twin"])
        found = statistics.difference(task, records["transfer"], others, target)
        report["difference"] = found.to_json()
        report["verdict"] = found.verdict
        if task.labelled:
            report["visible_difference"] = statistics.visible(records["transfer"], records["twin"])
    if "plainer" in context.arms:
        found = statistics.difference(task, records["transfer"], records["plainer"], target)
        report["plainer"] = {
            **_arm(task, context.arms["plainer"], records["plainer"], target, headline),
            "title": context.plan["arms"]["plainer"]["title"],
            "difference": found.to_json(),
            "verdict": found.verdict,
        }
    if rows := auxiliary_tasks.build(context, records):
        report["tasks"] = rows
    if "probability" in records["transfer"][best].columns and target.get("labels"):
        report |= _classes(context, every, transfer[best])
        if scratch:
            other = records["twin"][best_seed(scratch, headline)]
            report["confusion_baseline"] = per_class.confusion(other, target["labels"])
    if (answers := task.answers(records["transfer"][best], context.dataset)) is not None:
        report["samples"] = task.samples(
            answers, context.dataset, context.processor, context.source, transfer[best].weights
        )
        write_answers(context.folder / "predictions.csv", answers)
        report["worst"] = worst_answers(answers, WORST)
        target_with_thresholds = task.with_thresholds(transfer[best].outputs("validation"), every["validation"], target)
        report |= task.by_label(records["transfer"][best], target_with_thresholds)
        if rows := target_with_thresholds.get("thresholds"):
            half = task.evaluate(transfer[best].outputs("test"), every["test"], target)
            report["thresholds"] = operating_points.thresholds_table(
                task, rows, records["transfer"][best], half, len(every["validation"]), target
            )
        report["slices"] = slices.build(context, transfer[best], records["transfer"][best])
    if (map_of := domains.build(context, every, transfer[best])) is not None:
        report["domains"] = map_of
    report["explanation"] = explanation.explain(context, report, points)
    report["sentences"] = {name: s.model_dump() for name, s in sentences(report, task).items()}
    report = to_plain(report)
    _illustrate(context, report, transfer[best])
    atomic_files.write(context.folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False))
    _tell_in_html(context, report, points)
    return report


def best_seed(results: Sequence[ArmResult], metric: Metric) -> int:
    """Index of the result with the best validation score; the first one on ties."""
    sign = 1.0 if metric.higher_is_better else -1.0
    return max(range(len(results)), key=lambda i: sign * results[i].validation.get(metric.id, -math.inf * sign))


def versions() -> dict[str, str]:
    """Versions of the studio, Python and the installed packages, by name."""
    found = {"studio": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _classes(context: RunContext, examples: Mapping[str, Any], packed: ArmResult) -> dict[str, Any]:
    """Per-class results of the packed model, by its calibrated probabilities; writes ``predictions.csv``."""
    task, target, labels = context.task, context.target, context.target["labels"]
    calibrated, records = calibration.build(task, packed.outputs, examples, target)
    of_validation = packed.outputs("validation").astype(np.float64) / calibrated["temperature"]
    validation = task.evaluate(of_validation, examples["validation"], target)
    write_predictions(context.folder / "predictions.csv", records, labels, context.dataset)
    return {
        **per_class.describe(records, labels),
        "worst": per_class.worst(records, labels, context.dataset, WORST),
        "calibration": calibrated,
        "slices": slices.build(context, packed, records),
        "operating": operating_points.build(
            labels, *((one.columns["probability"], one.columns["truth"]) for one in (validation, records))
        ),
    }


def _arm(
    task: Task, results: Sequence[ArmResult], records: Sequence[Records], target: dict[str, Any], headline: Metric
) -> dict[str, Any]:
    found = statistics.intervals(task, records, target)
    each = statistics.scores(task, records, target)
    epochs = [result.epochs for result in results if result.epochs is not None]
    before = results[0].shared.get("seconds", 0.0)  # shared pre-training, needed by every seed
    return {
        "value": found[headline.id].value,
        "interval": list(found[headline.id].interval),
        "metrics": {name: estimate.value for name, estimate in found.items()},
        "intervals": {name: list(estimate.interval) for name, estimate in found.items()},
        "seconds": before + float(np.mean([result.seconds for result in results])),
        "seconds_search": float(sum(result.seconds_search for result in results)),
        "epochs": round(float(np.mean(epochs))) if len(epochs) == len(results) else None,
        "per_seed": [
            {
                "seed": result.seed,
                "metrics": {name: values[i] for name, values in each.items()},
                "validation": result.validation,
                "train": result.train,
                "seconds": before + result.seconds,
                "epochs": result.epochs,
                "best_epoch": result.best_epoch,
                "learning_rate": result.learning_rate,
            }
            for i, result in enumerate(results)
        ],
    }


def _packed(
    task: Task, result: ArmResult, records: Records, target: dict[str, Any], headline: Metric
) -> dict[str, Any]:
    found = statistics.intervals(task, [records], target)
    return {
        "seed": result.seed,
        "value": found[headline.id].value,
        "interval": list(found[headline.id].interval),
        "metrics": {name: estimate.value for name, estimate in found.items()},
        "intervals": {name: list(estimate.interval) for name, estimate in found.items()},
        "validation": result.validation,
    }


def _cost(results: Sequence[ArmResult]) -> dict[str, Any]:
    speeds = [result.examples_per_second for result in results if result.examples_per_second]
    once = results[0].shared.get("seconds", 0.0)
    return {
        "seconds": once + float(sum(result.seconds for result in results)),
        "seconds_once": once,
        "seconds_search": float(sum(result.seconds_search for result in results)),
        "epochs": [result.epochs for result in results],
        "examples_per_second": float(np.median(speeds)) if speeds else None,
        "peak_memory": max(result.peak_memory for result in results),
        "device": results[0].device,
        "batch_size": results[0].batch_size,
        "accumulation": results[0].accumulation,
    }


def _gap(results: Sequence[ArmResult], metric: Metric) -> dict[str, Any] | None:
    """Over-fitting: the headline metric on training and validation data, and their gap (> 0: training is better).

    Means over seeds; None if they were not measured.
    """
    pairs = [
        (r.train[metric.id], r.validation[metric.id])
        for r in results
        if metric.id in r.train and metric.id in r.validation
    ]
    if not pairs:
        return None
    train, validation = (float(np.mean(values)) for values in zip(*pairs, strict=True))
    return {
        "train": train,
        "validation": validation,
        "gap": (train - validation) * (1 if metric.higher_is_better else -1),
    }


def _source(context: RunContext) -> dict[str, Any]:
    model = context.source.source
    return {
        "id": model.id,
        "title": model.title,
        "licence": model.licence,
        "hub_id": model.hub_id,
        "revision": context.source.revision or model.revision,
        "digest": context.source.digest,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "library": context.source.library,
        "data": model.source_data.model_dump(),
        "task": model.source_task.model_dump(),
    }


def _notes(context: RunContext) -> list[Sentence]:
    found = list(context.task.notes(context.processor))
    found += [
        sentence(
            "Learned from besides: {name} ({fingerprint}), {n} examples.",
            name=one["name"],
            fingerprint=one["fingerprint"],
            n=one["n"],
        )
        for one in context.plan.get("sets", {}).values()
        if not one.get("tests")
    ]
    found += [Sentence.model_validate(note) for note in context.plan.get("notes", ())]
    found += [language_note] if (language_note := unspoken(context.source.source, shares(context.dataset.rows))) else []
    found += once_in_words(context.arms["transfer"][0].shared)
    found += [note for arm, results in context.arms.items() for note in _of_seeds(context.plan, arm, results)]
    return list({str(note): note for note in found}.values())


def _of_seeds(plan: dict[str, Any], arm: str, results: Sequence[ArmResult]) -> list[Sentence]:
    """The distinct notes of an arm's trainings; with the seeds if not all seeds have the note."""
    found = []
    for note in {str(note): note for result in results for note in result.notes}.values():
        seeds = [result.seed + 1 for result in results if note in result.notes]
        # A linear head fitted on features (no epochs) is the same for all seeds.
        if len(seeds) < len(results) and results[0].epochs is not None:
            note = sentence(
                "Seed {seeds} of {n} ({arm}): {note}",
                seeds=seeds,
                n=len(results),
                arm=arm_in_words(plan, arm),
                note=note,
            )
        found.append(note)
    return found


def _illustrate(context: RunContext, report: dict[str, Any], packed: ArmResult) -> None:
    """Write figures for the worst errors, if the task has any."""
    if report.get("worst"):
        context.task.illustrate(
            context.folder / "figures",
            report["worst"],
            context.dataset,
            context.source.source,
            packed.weights,
            context.processor,
            report["labels"],
        )


def _tell_in_html(context: RunContext, report: dict[str, Any], points: pd.DataFrame) -> None:
    from tlcore.core.i18n import LANGUAGES
    from tlcore.report import html

    for language in LANGUAGES:
        page = html.render(report, points, language, plan=context.plan, figures=context.folder / "figures")
        atomic_files.write(context.folder / html.file_name(language), page)
