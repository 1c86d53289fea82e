"""The learning curves of a run as plain series, for the report's drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito's colours, told apart by everybody; the twin is dashed as well, so that colour is never the only sign.
ARMS: dict[str, tuple[Sentence, str, str]] = {
    "transfer": (sentence("transfer"), "#0072b2", "solid"),
    "plainer": (sentence("ablation"), "#009e73", "dot"),
    "twin": (sentence("from scratch"), "#d55e00", "dash"),
}


@dataclass(frozen=True)
class Series:
    """One seed's curve. ``x`` counts epochs through all phases, or seconds of training."""

    arm: str
    seed: int
    x: list[float]
    y: list[float]


def series(points: pd.DataFrame, column: str, against: str = "epoch") -> list[Series]:
    """The final trainings' curves of one column; learning-rate trials are left out. ``against`` is epoch or seconds."""
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
