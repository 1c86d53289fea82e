"""Running a pilot race, as a job. Each attempt has a folder of its own, and goes on with what the one before finished.

Where the validation set is small, whoever is left after the last rung is trained once more for every further turn
(`guidance.cross_validation`), and the scores are those of all folds' validation examples together.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import flow, models, tasks
from tlcore.core import atomic_files, stored_files
from tlcore.core.errors import AttemptLost
from tlcore.core.i18n import sentence
from tlcore.core.strict_json import to_plain
from tlcore.data.dataset import Dataset
from tlcore.evaluation import statistics
from tlcore.guidance import cross_validation, pilot
from tlcore.spec import Spec
from tlcore.store import attempts
from tlcore.strategies import find
from tlcore.tasks.shared import inference
from tlcore.training import fit, resume
from tlcore.training.context import TrainingContext
from tlcore.training.job_progress import START, Tally
from tlcore.training.workload import epochs_of

if TYPE_CHECKING:
    from tlcore.evaluation.records import Records
    from tlcore.store import Store
    from tlcore.store.tables import Job

DRAWS = 1000


def work(store: Store, job: Job, progress: Any) -> dict[str, Any]:
    """``job.input`` as `pilot.request` makes it. Keeps the result in ``cache/races`` and returns who won."""
    asked = job.input
    base = Spec.model_validate({**asked["spec"], "baseline": "none", "seeds": 1})
    task = tasks.find(base.task)
    progress(0.0, sentence("Opening the source model and the data"))
    assert base.data.dataset is not None
    dataset = Dataset.open(store, base.data.dataset, job.owner)
    source = models.open_source(base.source, store, progress=lambda share, words, **more: progress(None, words))
    target, tally = task.fit_target(dataset), Tally(progress, most=0.99)
    result = pilot.path(store, asked)
    shared, name = result.with_suffix(""), f"{job.id}-{job.attempt}"
    before = sorted(shared.glob("[!.]*"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    folder = attempts.begin(shared / name, before, resume.finished)
    runners, in_fold = [], cross_validation.folds(task, dataset)
    for strategy in pilot.candidates(task, base.data, asked["scratch"], source.source):
        plan = flow.plan_for(base.with_strategy(strategy), task, dataset, source)
        each = [
            TrainingContext(task, one, source, target, plan, folder / strategy, store.home / "cache", tally)
            for one in in_fold
        ]
        for context in each:  # and never the test set
            subset = inference.evaluation_subset(task, context.examples["validation"], "validation")
            context.examples = {"train": context.examples["train"], "validation": subset}
        runners.append(_Runner(strategy, each[0], each[1:]))
    found = _pilot(runners, tally)
    metric = runners[0].context.metric
    found |= {
        "version": pilot.VERSION,
        "dataset": dataset.fingerprint,
        "source": base.source,
        "metric": metric.id,
        "metric_title": metric.title.model_dump(),
        "share": metric.share,
        "n_own": len(runners[0].context.examples["validation"]),
        "turns": len(in_fold),
        "restarts": True,
        "asked": asked,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    found["sentences"] = {name: one.model_dump() for name, one in pilot.sentences(found).items()}
    result.parent.mkdir(parents=True, exist_ok=True)
    if not store.jobs.beat(job.id, job.attempt):
        raise AttemptLost
    atomic_files.write(result, json.dumps(to_plain(found), indent=1, ensure_ascii=False))
    shutil.rmtree(shared, ignore_errors=True)  # and what attempts left that hold the job no more
    return {"winner": found["winner"], "clear": found["clear"], "seconds": found["seconds"]}


@dataclass
class _Score:
    """One training on validation data."""

    rate: float | None
    records: Records
    score: float  # as the metric has it
    order: tuple[float, float]  # to compare: higher is better, then minus the loss
    loss: float
    seconds: float


@dataclass
class _Runner:
    """A strategy in the race. Its learning rate is the one that did best in the first rung.

    ``others`` are the same on the validation sets of the other folds.
    """

    strategy: str
    context: TrainingContext
    others: list[TrainingContext] = field(default_factory=list)
    rate: float | None = None
    features: dict[str, np.ndarray] | None = None

    @property
    def arm(self) -> dict[str, Any]:
        return self.context.plan["arms"]["transfer"]

    @property
    def rounds(self) -> list[int]:
        return pilot.rounds(epochs_of(self.arm))

    def work(self, round_number: int) -> float:
        """Examples that a rung takes at most."""
        if self.again(round_number):
            return 0.0
        if self.rounds == [0]:
            return START
        tries = len(self.arm["rates"]) if round_number == 0 else 1
        return tries * (self.rounds[round_number] * self.context.plan["n_train"] + START)

    def run(self, round_number: int) -> tuple[_Score, float]:
        """The best training of this rung, and the seconds of all of them."""
        rates = [self.rate] if round_number else (self.arm["rates"] or [None])
        tried = [self._one(rate, self.rounds[min(round_number, len(self.rounds) - 1)]) for rate in rates]
        best = max(tried, key=lambda one: one.order)
        self.rate = best.rate
        return best, 0.0 if self.again(round_number) else sum(one.seconds for one in tried)

    def again(self, round_number: int) -> bool:
        """Whether this rung is the training of the one before: as many epochs, or a head that is solved once."""
        return round_number > 0 and (self.rounds == [0] or self.rounds[round_number] == self.rounds[round_number - 1])

    def work_in_folds(self) -> float:
        """Examples that the trainings of the other folds take at most."""
        each = self.rounds[-1] * self.context.plan["n_train"] + START
        return len(self.others) * (START if self.rounds == [0] else each)

    def in_folds(self, own: _Score) -> tuple[_Score, float]:
        """The score on the validation examples of all folds, and the seconds of the other trainings."""
        rest = [self._one(self.rate, self.rounds[-1], fold + 1) for fold in range(len(self.others))]
        every = [own, *rest]
        sizes = [len(one.records) for one in every]
        loss = float(np.average([one.loss for one in every], weights=sizes))
        seconds = sum(one.seconds for one in rest)
        return self._score(self.rate, cross_validation.together([one.records for one in every]), loss, seconds), seconds

    def _one(self, rate: float | None, epochs: int, fold: int = 0) -> _Score:
        context = self.others[fold - 1] if fold else self.context
        name = f"{epochs}-epochs-{rate:g}" if epochs else "solved"
        folder = context.folder / (f"fold-{fold}-{name}" if fold else name)
        done, outputs = folder / "done.json", folder / "outputs.npy"
        if not done.exists():
            if self.features is None:
                self.features = fit.frozen(self.context, "transfer")
            rows = (
                cross_validation.rearranged(self.features, self.context.dataset, context.dataset)
                if fold
                else self.features
            )
            own = _within(context, folder)
            out, loss, seconds = fit.trial(own, "transfer", rate, epochs, rows)
            folder.mkdir(parents=True, exist_ok=True)
            np.save(outputs, out)
            atomic_files.write(done, json.dumps({"loss": loss, "seconds": seconds}))
            shutil.rmtree(folder / "arms", ignore_errors=True)
        kept = stored_files.read_object(done, stored_files.RUN, ("loss", "seconds"))
        records = context.task.evaluate(
            stored_files.read_array(outputs, stored_files.RUN), context.examples["validation"], context.target
        )
        return self._score(rate, records, kept["loss"], kept["seconds"])

    def _score(self, rate: float | None, records: Records, loss: float, seconds: float) -> _Score:
        context = self.context
        score = float(statistics.scores(context.task, [records], context.target)[context.metric.id][0])
        sign = 1.0 if context.metric.higher_is_better else -1.0
        return _Score(rate, records, score, (sign * score, -loss), loss, seconds)


def _within(context: TrainingContext, folder: Path) -> TrainingContext:
    """The same, in a folder of its own."""
    from copy import copy

    own = copy(context)
    own.folder = folder
    return own


def _pilot(runners: list[_Runner], tally: Tally) -> dict[str, Any]:
    """Rung after rung until one is left or the last rung is run."""
    rows: dict[str, dict[str, Any]] = {
        one.strategy: {"strategy": one.strategy, "rate": None, "rungs": [], "dropped_at": None} for one in runners
    }
    left, seconds = list(runners), 0.0
    scores: dict[str, _Score] = {}
    near: dict[str, bool] = {}
    for round_number in range(len(pilot.SHARES)):
        if round_number and len(left) == 1:
            break
        tally.total = tally.before + sum(
            one.work_in_folds() + sum(map(one.work, range(round_number, len(pilot.SHARES)))) for one in left
        )
        scores = {}
        for one in left:
            tally.begin(
                sentence(
                    "Round {rung} of {rungs}: {strategy}",
                    rung=round_number + 1,
                    rungs=len(pilot.SHARES),
                    strategy=find(one.strategy).title,
                )
            )
            scores[one.strategy], took = one.run(round_number)
            tally.end(one.work(round_number))
            seconds += took
            rows[one.strategy]["rate"] = one.rate
            rows[one.strategy]["rungs"].append(_row(one, scores[one.strategy], round_number, took))
        near = _near(left, scores)
        on = pilot.survivors({name: one.order for name, one in scores.items()}, near)
        if round_number < len(pilot.SHARES) - 1:
            for one in left:
                if one.strategy not in on:
                    rows[one.strategy]["dropped_at"] = round_number + 1
            left = [one for one in left if one.strategy in on]
    if len(left) > 1 and left[0].others:
        for one in left:
            tally.begin(
                sentence(
                    "{turns} more cross-validation folds: {strategy}",
                    turns=len(one.others),
                    strategy=find(one.strategy).title,
                )
            )
            scores[one.strategy], took = one.in_folds(scores[one.strategy])
            tally.end(one.work_in_folds())
            seconds += took
            scored = rows[one.strategy]["rungs"]
            scored[-1] = _row(one, scores[one.strategy], len(pilot.SHARES) - 1, scored[-1]["seconds"] + took)
        near = _near(left, scores)
    final = sorted(scores, key=lambda name: scores[name].order, reverse=True)
    close = [name for name in final[1:] if near[name]]
    return {
        "candidates": list(rows.values()),
        "winner": final[0],
        "clear": not close,
        "runner_up": close[0] if close else None,
        "seconds": round(seconds, 2),
        "n_validation": len(scores[final[0]].records),
        "errors": _errors(left, scores),
    }


def _row(one: _Runner, score: _Score, round_number: int, took: float) -> dict[str, Any]:
    context = one.context
    estimate = statistics.intervals(context.task, [score.records], context.target, draws=DRAWS)[context.metric.id]
    return {
        "epochs": one.rounds[round_number] if one.rounds != [0] else None,
        "rate": score.rate,
        "score": score.score,
        "interval": list(estimate.interval),
        "loss": score.loss,
        "seconds": round(took, 3),
    }


def _near(left: list[_Runner], scores: Mapping[str, _Score]) -> dict[str, bool]:
    """Whether each is within one standard error of the leader: of the paired difference, over validation units
    (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3)."""
    leader = max(scores, key=lambda name: scores[name].order)
    errors = _errors(left, scores)[leader]
    return {name: scores[leader].order[0] - one.order[0] <= errors[name] for name, one in scores.items()}


def _errors(left: list[_Runner], scores: Mapping[str, _Score]) -> dict[str, dict[str, float]]:
    """The standard error of the paired difference of every two, from a bootstrap over validation units."""
    task, target, metric = left[0].context.task, left[0].context.target, left[0].context.metric
    rng = np.random.default_rng(0)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    units = next(iter(scores.values())).records.unit
    for weights in statistics.resampling_weights(units, DRAWS, rng):
        for name, one in scores.items():
            drawn[name].append(task.aggregate(one.records, weights, target)[metric.id])
    whole = {name: np.concatenate(parts) for name, parts in drawn.items()}
    return {a: {b: float((whole[a] - whole[b]).std()) for b in whole} for a in whole}
