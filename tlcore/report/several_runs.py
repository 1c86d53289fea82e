"""Comparison of several runs, corrected for multiple comparisons.

Twenty comparisons at the 5 % level give one false verdict on average. The p-values of the nested bootstrap are
therefore adjusted by Holm's method (1979), which keeps the probability of any false verdict in a family at 5 %, even if
the comparisons are dependent. There are two families: each run against its scratch baseline, and all pairs of runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore import tasks
from tlcore.core import stored_files
from tlcore.data.dataset import Dataset
from tlcore.evaluation import statistics
from tlcore.tasks.shared.test_records import on_test

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric, Records
    from tlcore.store import Store
    from tlcore.store.tables import Run
    from tlcore.tasks.contract import Task


@dataclass
class Scored:
    """The test records of a finished run: one per seed of each arm."""

    run: str
    dataset: str
    transfer: list[Records]
    scratch: list[Records]
    target: dict[str, Any]


def holm(p: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values in the given order: the k-th smallest of m times m - k + 1, made monotone, at most 1."""
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate([p[i] * (len(p) - k) for k, i in enumerate(order)]) if len(p) else []
    out = [0.0] * len(p)
    for i, value in zip(order, raised, strict=True):
        out[i] = min(1.0, float(value))
    return out


def scored(store: Store, run: Run) -> Scored | None:
    """A run's records from its stored outputs, without torch; None if its outputs or its dataset are gone."""
    folder = store.runs.folder(run.id)
    target_file, plan = folder / "target.json", run.plan or {}
    if run.dataset is None or not target_file.exists() or "processor" not in plan:
        return None
    task, target = tasks.find(str(run.spec["task"])), stored_files.read_object(target_file, stored_files.RUN)
    dataset = Dataset.open(store, run.dataset, run.owner)
    examples = task.examples(dataset, plan["processor"], target, None)

    def records(place: Path) -> Records:
        return on_test(
            task,
            lambda split: stored_files.read_array(place / f"outputs-{split}.npy", stored_files.RUN),
            examples,
            target,
        )

    def arm(name: str) -> list[Records]:
        return [records(file.parent) for file in sorted((folder / "arms" / name).glob("seed-*/outputs-test.npy"))]

    transfer = arm("transfer")
    return Scored(run.id, run.dataset, transfer, arm("twin"), target) if transfer else None


def compare(task: Task, runs: Sequence[Scored], *, draws: int = statistics.DRAWS) -> dict[str, Any]:
    """All comparisons of several runs: ``twins`` (each run against its scratch baseline), ``pairs``, and ``by``.

    Each comparison has {run, other, value, interval, p, seeds, adjusted, verdict}, adjusted within its family. ``by``
    is the metric of the pairs: the first one that is also comparable between runs with different tokens. Runs on a
    different dataset than the first are left out of the pairs. In a pair, a value above 0 means that ``run`` is better;
    its verdict is ``run``, ``other`` or None (no clear difference, or only one seed).
    """
    metric, by = task.metrics[0], next(one for one in task.metrics if one.across)
    twins = [
        _entry(
            one.run,
            None,
            statistics.difference(task, one.transfer, one.scratch, one.target, draws=draws),
            min(len(one.transfer), len(one.scratch)),
        )
        for one in runs
        if one.scratch
    ]
    same_dataset = [one for one in runs if one.dataset == runs[0].dataset]
    pairs = [
        _entry(
            a.run,
            b.run,
            statistics.difference(task, a.transfer, b.transfer, a.target, headline=by, draws=draws),
            min(len(a.transfer), len(b.transfer)),
        )
        for a, b in combinations(same_dataset, 2)
    ]
    for family, groups, words in (
        (twins, metric, ("transfer-helps", "negative-transfer")),
        (pairs, by, ("run", "other")),
    ):
        for entry, adjusted in zip(family, holm([one["p"] for one in family]), strict=True):
            entry["adjusted"] = adjusted
            entry["verdict"] = _verdict(entry, groups, words)
    return {"twins": twins, "pairs": pairs, "by": by.id}


def _entry(run: str, other: str | None, found: statistics.Difference, seeds: int) -> dict[str, Any]:
    return {
        "run": run,
        "other": other,
        "value": found.value,
        "interval": list(found.interval),
        "p": found.p,
        "seeds": seeds,
    }


def _verdict(entry: dict[str, Any], metric: Metric, words: tuple[str, str]) -> str | None:
    if entry["seeds"] < 2 or entry["adjusted"] >= 1 - statistics.LEVEL or abs(entry["value"]) < metric.smallest:
        return None
    return words[0] if entry["value"] > 0 else words[1]
