"""Validation scores of the scratch baseline at transfer's training time and at the ordinary budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Metric
    from tlcore.training.result import ArmResult


def stood_at(
    points: pd.DataFrame, transfer: Sequence[ArmResult], scratch: Sequence[ArmResult] | None, metric: Metric
) -> dict[str, Any] | None:
    """The scratch baseline's validation score after the training time of the transfer arm.

    Keys: ``seconds`` (transfer's mean, with shared pre-training), ``validation`` (mean over seeds of the last point at
    or before ``seconds``; None if no epoch had ended by then), ``seeds`` (with a score) and ``of`` (all seeds). Returns
    None if there is no scratch baseline or no curve.
    """
    column = f"validation_{metric.id}"
    if not scratch or points.empty or column not in points:
        return None
    seconds = transfer[0].shared.get("seconds", 0.0) + float(np.mean([result.seconds for result in transfer]))
    curves = points[(points["arm"] == "twin") & (points["trial"] == "final") & points[column].notna()]
    reached = curves[curves["seconds"] <= seconds].sort_values(["seed", "seconds"]).groupby("seed").last()
    if reached.empty:
        return {"seconds": seconds, "validation": None, "seeds": 0, "of": len(scratch)}
    return {
        "seconds": seconds,
        "validation": float(reached[column].mean()),
        "seeds": len(reached),
        "of": len(scratch),
    }


def longer_budget(
    points: pd.DataFrame, arm: dict[str, Any], scratch: Sequence[ArmResult] | None, metric: Metric
) -> dict[str, Any] | None:
    """The scores of a scratch baseline with a longer budget; None if its budget was the ordinary one.

    ``ordinary`` and ``longer`` are its best validation scores (means over seeds) within the ``epochs`` of the ordinary
    budget and over all epochs. Its learning-rate schedule spans the longer budget, so the rate was still high at the
    end of the ordinary one.
    """
    column = f"validation_{metric.id}"
    if not scratch or "budget" not in arm or points.empty or column not in points:
        return None
    final = points[(points["arm"] == "twin") & (points["trial"] == "final") & points[column].notna()]
    best = "max" if metric.higher_is_better else "min"
    within = final[final["epoch"] <= arm["ordinary_epochs"]].groupby("seed")[column].agg(best)
    return {
        "times": arm["budget"],
        "epochs": arm["ordinary_epochs"],
        "longer_epochs": [r.epochs for r in scratch],
        "ordinary": float(within.mean()) if len(within) else None,
        "longer": float(final.groupby("seed")[column].agg(best).mean()) if len(final) else None,
        "seeds": len(within),
        "of": len(scratch),
    }
