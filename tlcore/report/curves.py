"""The learning curves of a run as series, for the figures of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import pandas as pd

# The colour-blind-safe palette of Okabe and Ito. The scratch baseline is also dashed: colour is never the only signal.
ARMS: dict[str, tuple[Sentence, str, str]] = {
    "transfer": (sentence("transfer"), "#0072b2", "solid"),
    "plainer": (sentence("ablation"), "#009e73", "dot"),
    "twin": (sentence("from scratch"), "#d55e00", "dash"),
}


@dataclass(frozen=True)
class Series:
    """The curve of one seed. ``x``: epochs counted over all phases, or seconds of training."""

    arm: str
    seed: int
    x: list[float]
    y: list[float]


def series(points: pd.DataFrame, column: str, against: str = "epoch") -> list[Series]:
    """Curves of one column, one per arm and seed, without learning-rate trials. ``against``: "epoch" or "seconds"."""
    if points.empty or column not in points:
        return []
    final = points[(points["trial"] == "final") & points[column].notna()]
    out = []
    for (arm, seed), rows in final.groupby(["arm", "seed"], sort=True):
        rows = rows.sort_values(["phase", "epoch"])
        if against == "epoch":
            longest = rows.groupby("phase")["epoch"].max()
            before = (longest.cumsum() - longest).to_dict()
            x = rows["epoch"] + rows["phase"].map(before)
        else:
            x = rows["seconds"]
        out.append(Series(str(arm), int(str(seed)), [float(v) for v in x], [float(v) for v in rows[column]]))
    return [one for one in out if one.arm in ARMS]
