"""Running a pilot race, as a job. What is trained is written whole, so that a race that was stopped goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import sources, tasks
from tlcore.guidance import race
from tlcore.report import statistics
from tlcore.report.build import plain, write_whole
from tlcore.spec import Spec
from tlcore.strategies.plan import epochs_of
from tlcore.training.tally import START, Tally
from tlcore.words import say

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job
    from tlcore.tasks.contract import Records
    from tlcore.training.fit import Fitting

DRAWS = 1000


def work(store: Store, job: Job, progress: Any) -> dict[str, Any]:
    """``job.input`` as `race.request` makes it. Keeps the result in ``cache/races`` and returns who won."""
    from tlcore import flow
    from tlcore.training import fit, loop

    asked = job.input
    base = Spec.model_validate({**asked["spec"], "baseline": "none", "seeds": 1})
    task = tasks.find(base.task)
    progress(0.0, say("Opening the source model and the data"))
    assert base.data.dataset is not None
    dataset = store.datasets.open(base.data.dataset)
    source = sources.open_source(base.source, store, progress=lambda share, words, **more: progress(None, words))
    target, tally = task.fit_target(dataset), Tally(progress, most=0.99)
    result = race.path(store, asked)
    folder = result.with_suffix("")
    runners = []
    for strategy in race.candidates(task, base.data, asked["scratch"]):
        plan = flow.plan_for(base.model_copy(update={"strategy": strategy}), task, dataset, source)
        told = fit.Fitting(task, dataset, source, target, plan, folder / strategy, store.home / "cache",
                           tally)  # type: ignore[arg-type]  # fmt: skip
        judged = loop.judged(task, told.examples["validation"], "validation")
        told.examples = {"train": told.examples["train"], "validation": judged}  # and never the test set
        runners.append(_Runner(strategy, told))
    found = _race(runners, tally)
    metric = runners[0].told.metric
    found |= {
        "version": race.VERSION, "dataset": dataset.fingerprint, "source": base.source, "metric": metric.id,
        "metric_title": metric.title.model_dump(), "share": metric.share,
        "n_validation": len(runners[0].told.examples["validation"]), "restarts": True, "asked": asked,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    found["sentences"] = {name: one.model_dump() for name, one in race.sentences(found).items()}
    result.parent.mkdir(parents=True, exist_ok=True)
    write_whole(result, json.dumps(plain(found), indent=1, ensure_ascii=False))
    shutil.rmtree(folder, ignore_errors=True)
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
    """A strategy in the race. Its learning rate is the one that did best in the first rung."""

    strategy: str
    told: Fitting
    rate: float | None = None
    features: dict[str, np.ndarray] | None = None

    @property
    def arm(self) -> dict[str, Any]:
        return self.told.plan["arms"]["transfer"]

    @property
    def rungs(self) -> list[int]:
        return race.rungs(epochs_of(self.arm))

    def work(self, rung: int) -> float:
        """Examples that a rung takes at most."""
        if self.again(rung):
            return 0.0
        if self.rungs == [0]:
            return START
        tries = len(self.arm["rates"]) if rung == 0 else 1
        return tries * (self.rungs[rung] * self.told.plan["n_train"] + START)

    def run(self, rung: int) -> tuple[_Score, float]:
        """The best training of this rung, and the seconds of all of them."""
        rates = [self.rate] if rung else (self.arm["rates"] or [None])
        tried = [self._one(rate, self.rungs[min(rung, len(self.rungs) - 1)]) for rate in rates]
        best = max(tried, key=lambda one: one.order)
        self.rate = best.rate
        return best, 0.0 if self.again(rung) else sum(one.seconds for one in tried)

    def again(self, rung: int) -> bool:
        """Whether this rung is the training of the one before: as many epochs, or a head that is solved once."""
        return rung > 0 and (self.rungs == [0] or self.rungs[rung] == self.rungs[rung - 1])

    def _one(self, rate: float | None, epochs: int) -> _Score:
        from tlcore.training import fit

        told = self.told
        folder = told.folder / (f"{epochs}-epochs-{rate:g}" if epochs else "solved")
        done, outputs = folder / "done.json", folder / "outputs.npy"
        if not done.exists():
            if self.features is None:
                self.features = fit.frozen(told, "transfer")
            own = _within(told, folder)
            out, loss, seconds = fit.trial(own, "transfer", rate, epochs, self.features)
            folder.mkdir(parents=True, exist_ok=True)
            np.save(outputs, out)
            write_whole(done, json.dumps({"loss": loss, "seconds": seconds}))
            shutil.rmtree(folder / "arms", ignore_errors=True)
        kept = json.loads(done.read_text())
        records = told.task.evaluate(np.load(outputs), told.examples["validation"], told.target)
        score = float(statistics.scores(told.task, [records], told.target)[told.metric.id][0])
        sign = 1.0 if told.metric.higher_is_better else -1.0
        return _Score(rate, records, score, (sign * score, -kept["loss"]), kept["loss"], kept["seconds"])


def _within(told: Fitting, folder: Path) -> Fitting:
    """The same, in a folder of its own."""
    from copy import copy

    own = copy(told)
    own.folder = folder
    return own


def _race(runners: list[_Runner], tally: Tally) -> dict[str, Any]:
    """Rung after rung until one is left or the last rung is run."""
    from tlcore.strategies import find

    rows: dict[str, dict[str, Any]] = {
        one.strategy: {"strategy": one.strategy, "rate": None, "rungs": [], "dropped_at": None} for one in runners
    }
    left, seconds = list(runners), 0.0
    scores: dict[str, _Score] = {}
    near: dict[str, bool] = {}
    for rung in range(len(race.SHARES)):
        if rung and len(left) == 1:
            break
        tally.total = tally.before + sum(
            one.work(later) for one in left for later in range(rung, len(race.SHARES))
        )  # fmt: skip
        scores = {}
        for one in left:
            tally.begin(say("Rung {rung} of {rungs}: {strategy}", rung=rung + 1, rungs=len(race.SHARES),
                            strategy=find(one.strategy).title))  # fmt: skip
            scores[one.strategy], took = one.run(rung)
            tally.end(one.work(rung))
            seconds += took
            rows[one.strategy]["rate"] = one.rate
            rows[one.strategy]["rungs"].append(_row(one, scores[one.strategy], rung, took))
        near = _near(left, scores)
        on = race.survivors({name: one.order for name, one in scores.items()}, near)
        if rung < len(race.SHARES) - 1:
            for one in left:
                if one.strategy not in on:
                    rows[one.strategy]["dropped_at"] = rung + 1
            left = [one for one in left if one.strategy in on]
    final = sorted(scores, key=lambda name: scores[name].order, reverse=True)
    close = [name for name in final[1:] if near[name]]
    return {"candidates": list(rows.values()), "winner": final[0], "clear": not close,
            "runner_up": close[0] if close else None, "seconds": round(seconds, 2)}  # fmt: skip


def _row(one: _Runner, score: _Score, rung: int, took: float) -> dict[str, Any]:
    told = one.told
    estimate = statistics.intervals(told.task, [score.records], told.target, draws=DRAWS)[told.metric.id]
    return {"epochs": one.rungs[rung] if one.rungs != [0] else None, "rate": score.rate, "score": score.score,
            "interval": list(estimate.interval), "loss": score.loss, "seconds": round(took, 3)}  # fmt: skip


def _near(left: list[_Runner], scores: Mapping[str, _Score]) -> dict[str, bool]:
    """Whether each is within one standard error of the leader: of the paired difference, over validation units
    (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3)."""
    task, target, metric = left[0].told.task, left[0].told.target, left[0].told.metric
    leader = max(scores, key=lambda name: scores[name].order)
    rng = np.random.default_rng(0)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    for weights in statistics.unit_weights(scores[leader].records.unit, DRAWS, rng):
        for name, one in scores.items():
            drawn[name].append(task.aggregate(one.records, weights, target)[metric.id])
    whole = {name: np.concatenate(parts) for name, parts in drawn.items()}
    out = {}
    for name, one in scores.items():
        error = float((whole[leader] - whole[name]).std())
        out[name] = scores[leader].order[0] - one.order[0] <= error
    return out
