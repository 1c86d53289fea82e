"""Multi-task learning in a report: each task trained jointly against its single-task baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.data import auxiliary
from tlcore.evaluation import statistics
from tlcore.report.several_runs import holm
from tlcore.training import auxiliary_tasks

if TYPE_CHECKING:
    from tlcore.evaluation.records import Records
    from tlcore.report.context import RunContext

TARGET = sentence("the target task")


def build(context: RunContext, records: Mapping[str, Sequence[Records]]) -> list[dict[str, Any]] | None:
    """One row per task, the target task first; None without auxiliary tasks or without single-task baselines.

    Keys of a row: title, n (test examples), ``together`` and ``alone`` (single-task baseline) {value, interval},
    classes, ``difference`` {value, interval}, p, adjusted (Holm over the tasks), and ``change``: gains, loses or
    unclear.
    """
    if "alone-0" not in context.arms or "plainer" not in records:
        return None
    task = context.task
    rows = [_row(context, TARGET, records["transfer"], records["plainer"], context.target)]
    given = auxiliary.named(context.plan, context.store, context.owner)
    sets = {name: auxiliary.decontaminate(one, context.dataset, task) for name, one in given.items()}
    every = auxiliary_tasks.opened(
        context.plan, task, context.dataset, sets, context.store.home / "cache" / "pictures", context.source
    )
    for number, (name, side) in enumerate(every.items()):
        test = side.examples["test"]
        if not len(test):
            continue
        together = [
            task.evaluate(np.load(one.folder / f"side-{number}-test.npy"), test, side.target)
            for one in context.arms["transfer"]
        ]
        alone = [task.evaluate(one.outputs("test"), test, side.target) for one in context.arms[f"alone-{number}"]]
        title = name if side.same_examples else sentence("the second set ({name})", name=side.dataset.info.name)
        rows.append(_row(context, title, together, alone, side.target))
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["adjusted"] = adjusted
        clear = adjusted < 1 - statistics.LEVEL and len(context.arms["transfer"]) > 1
        large = abs(row["difference"]["value"]) >= task.metrics[0].smallest
        row["change"] = ("gains" if row["difference"]["value"] > 0 else "loses") if clear and large else "unclear"
    return rows


def summary(rows: Sequence[Mapping[str, Any]]) -> Sentence:
    """The number of tasks that gain and lose by joint training, as one sentence."""
    count = {change: sum(row["change"] == change for row in rows) for change in ("gains", "loses", "unclear")}
    if count["loses"]:
        return sentence(
            "Learned together, {gains} of {n} tasks do better than alone and {loses} worse: negative transfer between "
            "tasks. For {unclear} there is no clear difference.",
            n=len(rows),
            **count,
        )
    return sentence(
        "Learned together, {gains} of {n} tasks do better than alone and none does worse; for {unclear} there is no "
        "clear difference.",
        n=len(rows),
        gains=count["gains"],
        unclear=count["unclear"],
    )


def _row(
    context: RunContext,
    title: Sentence | str,
    together: Sequence[Records],
    alone: Sequence[Records],
    target: dict[str, Any],
) -> dict[str, Any]:
    task, metric = context.task, context.task.metrics[0].id
    found = statistics.difference(task, together, alone, target)
    row = {}
    for name, records in (("together", together), ("alone", alone)):
        estimate = statistics.intervals(task, records, target)[metric]
        row[name] = {"value": estimate.value, "interval": list(estimate.interval)}
    return {
        "title": title.model_dump() if isinstance(title, Sentence) else title,
        "n": len(together[0]),
        **row,
        "classes": len(target["labels"]),
        "difference": {"value": found.value, "interval": list(found.interval)},
        "p": found.p,
    }
