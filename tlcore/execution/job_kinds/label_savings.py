"""Measure the label savings of a finished run, as a job: train both arms on nested parts, score, fit, and say.

What is done lies in ``savings/n-<labels>/arms/<arm>/seed-<k>`` of the attempt's folder: the outputs on validation and
test data and ``result.json``, which is written last. An attempt goes on after the last training of the one before it
that has one; at the end its folder, with all else of the run, becomes the run's.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import models, tasks
from tlcore.core import atomic_files, stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import LANGUAGES, sentence
from tlcore.core.strict_json import to_plain
from tlcore.data import auxiliary, nested_subsets
from tlcore.data.dataset import Dataset
from tlcore.evaluation import label_savings
from tlcore.evaluation.label_savings import Measured
from tlcore.plan import make_plan
from tlcore.report import energy, html
from tlcore.spec import Spec
from tlcore.store.attempts import Fence
from tlcore.store.runs import stored
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared.test_records import on_test
from tlcore.training import auxiliary_tasks, fit, resume
from tlcore.training.context import TrainingContext
from tlcore.training.job_progress import Tally, work_of
from tlcore.training.result import ArmResult
from tlcore.training.workload import arm_in_words

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric
    from tlcore.store import Store
    from tlcore.store.tables import Job, Run

ARMS = ("transfer", "twin")
SIZES, SEEDS = 5, 3
FEWEST = 3  # sizes; a power law has three numbers to be found


def work(store: Store, job: Job, progress: Any) -> dict[str, Any]:
    """``job.input``: ``run``, and if wanted ``sizes`` and ``seeds``. Returns the savings at all labels."""
    run = store.runs.get(job.input["run"])
    report = usable(run)
    assert run is not None
    fence = Fence.of(job)
    folder = store.runs.begin(run.id, fence, resume.of_savings)
    sizes = planned_sizes(report, job.input.get("sizes") or SIZES)
    seeds = min(job.input.get("seeds") or SEEDS, report["seeds"])
    progress(0.0, sentence("Opening the source model and the data of the run"))
    curves = _prepared(store, run, folder, sizes, seeds, progress)
    plan = curves.run.plan
    with energy.Meter(plan["device"]) as meter:
        measured = {name: _curve(curves, name, sizes, seeds) for name in ARMS}
    progress(0.98, sentence("Fitting the learning curves"))
    found = label_savings.analyse(curves.run.task, curves.run.target, measured["transfer"], measured["twin"])
    found |= {
        "format": label_savings.FORMAT,
        "run": run.id,
        "metric": report["metric"],
        "seeds": seeds,
        "share": curves.run.metric.share,
        "n_train": sizes[-1],
        "n_validation": report["dataset"]["n"]["validation"],
        "n_test": report["n_test"],
        "recipe": {
            name: {"strategy": plan["arms"][name]["strategy"], "learning_rate": curves.rate(name)} for name in ARMS
        },
        "seconds": round(curves.seconds, 1),
        "watts": {"value": meter.watts, "how": meter.how},
        "device": plan["device"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    found["sentences"] = {name: one.model_dump() for name, one in label_savings.sentences(found).items()}
    found = to_plain(found)
    _tell(store, run, found, folder, fence)
    return {key: found["equal"][key] for key in ("labels", "needed", "interval", "outcome")}


def usable(run: Run | None) -> dict[str, Any]:
    """The report of a run whose label savings can be measured. Raises UnusableInput saying why they cannot."""
    if run is None or run.report is None or run.dataset is None or run.plan is None:
        raise UnusableInput(
            sentence("This run has no report yet, so its label savings cannot be measured."), code="run"
        )
    if run.report.get("baseline") is None:
        raise UnusableInput(
            sentence(
                "This run has no from-scratch twin, so there is nothing to save labels against. Start it again with "
                "the twin."
            ),
            code="no-twin",
        )
    if run.report["seeds"] < 2:
        raise UnusableInput(
            sentence(
                "This run has one seed, which does not tell how much a seed moves the curves. Start it again with two "
                "or more."
            ),
            code="one-seed",
        )
    planned_sizes(run.report)
    return run.report


def planned_sizes(report: dict[str, Any], count: int = SIZES) -> list[int]:
    """The numbers of labels that are trained on. Raises UnusableInput where there are too few for a curve."""
    if not FEWEST <= count <= 12:
        raise UnusableInput(sentence("A learning curve takes {low} to 12 sizes.", low=FEWEST), code="sizes")
    n = report["dataset"]["n"]["train"]
    sizes = nested_subsets.sizes(n, len(report.get("labels") or []), count)
    if len(sizes) < FEWEST:
        raise UnusableInput(
            sentence(
                "With {n} training examples of {classes} classes there is no room for a learning curve.",
                n=n,
                classes=len(report.get("labels") or []),
            ),
            code="too-few-labels",
        )
    return sizes


def guess_seconds(report: dict[str, Any], sizes: list[int], seeds: int = SEEDS) -> float:
    """A rough guess of the time: from the seconds that the run's own trainings took, and two for each training."""
    seeds = min(seeds, report["seeds"])
    full = sum(report[key]["seconds"] for key in ("transfer", "baseline") if report[key]["epochs"])
    return sum(seeds * (full * max(0.1, 2 * n / sizes[-1]) + 4) for n in sizes[:-1]) + 10


@dataclass
class _Curves:
    """What the run trained with, and the plan for each part."""

    run: TrainingContext
    folder: Path  # of this attempt
    watch: Tally
    plans: dict[int, dict[str, Any]]  # by number of labels
    seconds: float = 0.0  # of the parts' trainings

    def full(self, name: str, seed: int) -> ArmResult:
        """The run's own training with all the labels."""
        return ArmResult.load(self.run.folder / "arms" / name / f"seed-{seed}")

    def rate(self, name: str) -> float | None:
        """The learning rate that the run's search chose; None where nothing was trained by gradient."""
        return self.full(name, 0).learning_rate


def _prepared(store: Store, run: Run, own: Path, sizes: list[int], seeds: int, progress: Any) -> _Curves:
    spec, plan, folder = Spec.model_validate(run.spec), run.plan, store.runs.folder(run.id)
    assert plan is not None
    assert run.dataset is not None
    dataset = Dataset.open(store, run.dataset, run.owner)
    source = models.open_source(spec.source, store, progress=lambda share, words, **more: progress(None, words))
    if source.digest != plan["source_digest"]:
        raise UnusableInput(
            sentence("The source model has changed since this run; its curves would be of another model."),
            code="source-changed",
        )
    target = stored_files.read_object(folder / "target.json", stored_files.RUN)
    watch = Tally(progress)
    context = TrainingContext(
        tasks.find(spec.task),
        dataset,
        source,
        target,
        plan,
        folder,
        store.home / "cache",
        watch,
        auxiliary.named(plan, store, run.owner),
    )
    curves = _Curves(context, own, watch, {})
    rates = {name: curves.rate(name) for name in ARMS}
    curves.plans |= {n: recipe(spec, plan, n, rates, context.metric) for n in sizes[:-1]}
    watch.total = seeds * sum(work_of(made, arm) for made in curves.plans.values() for arm in ARMS)
    return curves


def recipe(spec: Spec, plan: dict[str, Any], n: int, rates: dict[str, float | None], metric: Metric) -> dict[str, Any]:
    """The run's plan as its strategy makes it for ``n`` labels: epochs and batch size follow n where the person left
    them open; the picture size is the run's, and each arm has one learning rate.
    """
    options, budget, task = spec.options, spec.budget, tasks.find(spec.task)
    context = PlanContext(
        n_train=n,
        size=plan.get("side", plan["processor"]["size"]),
        parameters=plan["parameters"],
        device=plan["device"],
        epochs=None if budget.epochs == "auto" else budget.epochs,
        batch_size=None if options.batch_size == "auto" else options.batch_size,
        learning_rate=None,
        rate=task.rate,
        has_convex_head=task.has_convex_head,
        has_new_head=task.has_new_head,
        has_native_head=plan.get("modality") in task.native_families,
        sets={name: one["n"] for name, one in plan.get("sets", {}).items()},
        auxiliary=tuple(name for name in auxiliary_tasks.named(plan) if name not in plan.get("sets", {})),
        modality=plan.get("modality", "image"),
        labelled=task.labelled,
    )
    made = make_plan(spec, plan["strategy"], context, plan["processor"], metric)
    for name, rate in rates.items():
        made["arms"][name] |= {"rates": [] if rate is None else [rate], "trial_epochs": 0}
    return made


def _curve(curves: _Curves, name: str, sizes: list[int], seeds: int) -> Measured:
    """Every training of an arm, by size and seed; what is done already is not done again. Weights are not kept."""
    context = curves.run
    train = context.dataset.split("train")
    orders = [context.task.nested(train, seed) for seed in range(seeds)]
    features: dict[str, np.ndarray] | None = None
    records, labels = [], []
    for n in sizes[:-1]:
        folder, results = curves.folder / "savings" / f"n-{n:05}", []
        taken = [nested_subsets.take(order, n) for order in orders]
        for seed, rows in enumerate(taken):
            curves.watch.begin(
                sentence(
                    "Training with {n} labels: {arm}, seed {seed} of {seeds}",
                    n=n,
                    arm=arm_in_words(context.plan, name),
                    seed=seed + 1,
                    seeds=seeds,
                )
            )
            done = folder / "arms" / name / f"seed-{seed}"
            if not (done / "result.json").exists():
                if features is None:
                    features = fit.frozen(context, name)
                _one(curves, name, n, rows, train["id"].iloc[rows].tolist(), folder, seed, features)
            results.append(ArmResult.load(done))
            curves.seconds += results[-1].seconds + results[-1].seconds_search
            shutil.rmtree(done / "weights", ignore_errors=True)
            curves.watch.end(work_of(curves.plans[n], name))
        records.append([on_test(context.task, one.outputs, context.examples, context.target) for one in results])
        labels.append(float(np.mean([len(rows) for rows in taken])))
    full = [curves.full(name, seed) for seed in range(seeds)]
    records.append([on_test(context.task, one.outputs, context.examples, context.target) for one in full])
    return Measured(np.array([*labels, float(len(train))]), records)


def _one(
    curves: _Curves,
    name: str,
    n: int,
    rows: np.ndarray,
    ids: list[str],
    folder: Path,
    seed: int,
    features: dict[str, np.ndarray],
) -> None:
    """Train one arm on one part. Frozen features are the whole's, the part's rows taken."""
    context = curves.run
    own = replace(
        context,
        dataset=context.dataset.with_train(ids),
        plan={**curves.plans[n], "n_train": len(rows)},
        folder=folder,
        before=context.folder,
    )
    kept = {**features, "train": features["train"][rows]} if features else {}
    fit.again(own, name, seed, curves.rate(name), kept)


def _tell(store: Store, run: Run, found: dict[str, Any], folder: Path, fence: Fence) -> None:
    """The savings' own file, and beside the rest of the report: in the store, as JSON and as HTML."""
    store.runs.carry_over(run.id, folder)
    atomic_files.write(folder / label_savings.FILE, json.dumps(found, indent=1, ensure_ascii=False))
    now = store.runs.get(run.id)
    report = stored({**((now and now.report) or {}), "label_savings": found})
    atomic_files.write(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False))
    points = store.runs.points(run.id)
    for language in LANGUAGES:
        page = html.render(report, points, language, plan=run.plan, figures=folder / "figures")
        atomic_files.write(folder / html.file_name(language), page)
    store.runs.commit(run.id, folder, fence, report=report)
