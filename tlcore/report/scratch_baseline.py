"""Where the from-scratch twin stood on its way: when transfer was done, and at the ordinary budget."""

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
    """Where the twin stood, on validation data, after as many seconds of training as the transfer arm took.

    The mean over the twin's seeds of the last point not later than that; ``validation`` is null where no epoch of the
    twin had ended by then.
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
    """Where a twin with a longer budget stood at the ordinary one; None where its budget was the ordinary one.

    ``ordinary`` and ``longer`` are the twin's best validation scores, means over seeds, within the ``epochs`` of the
    ordinary budget and in all. Its learning rate fell over the longer budget, so at the ordinary one it had not yet
    come down.
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
