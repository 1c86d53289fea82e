"""Comparison of the selected runs with their scratch baselines and with each other, Holm-adjusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import tasks
from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, t
from tlcore.evaluation import score_text
from tlcore.ui.formatting import message, plain
from tlcore.ui.state import store

if TYPE_CHECKING:
    from tlcore.store.tables import Run

MOST = 8  # most runs compared: 28 pairs


@st.cache_data(max_entries=32, show_spinner=False)
def _compared(run_ids: tuple[str, ...]) -> tuple[dict[str, Any] | None, list[str]]:
    """The comparison of finished runs (cached: records never change), and the ids of runs without records."""
    from tlcore.report import several_runs

    found, gone = [], []
    for run_id in run_ids:
        run = store().runs.get(run_id)
        try:
            scored = several_runs.scored(store(), run) if run else None
        except (StudioError, OSError, ValueError):
            scored = None
        if run is None or scored is None:
            gone.append(run_id)
        else:
            found.append((run, scored))
    if not found:
        return None, gone
    return several_runs.compare(tasks.find(str(found[0][0].spec["task"])), [scored for _, scored in found]), gone


def show(runs: list[Run], names: dict[str, str]) -> None:
    """Two tables: each selected run against its scratch baseline, and all pairs on the same dataset."""
    if len(runs) > MOST:
        st.caption(t("The first {n} ticked runs are compared with each other.", n=MOST))
    compared, gone = _compared(tuple(run.id for run in runs[:MOST]))
    if gone:
        st.caption(t("Without stored predictions, so not compared: {runs}.", runs=[names[one] for one in gone]))
    if compared is None:
        return
    metrics = tasks.find(runs[0].task).metrics
    share, by = metrics[0].share, next(one for one in metrics if one.id == compared["by"])
    words = {"transfer-helps": t("Transfer helps"), "negative-transfer": t("Negative transfer")}
    if compared["twins"]:
        st.markdown("**" + t("Each run against its twin") + "**")
        st.table(
            [
                _row({t("Run"): plain(names[one["run"]])}, one, words.get(str(one["verdict"])), share)
                for one in compared["twins"]
            ],
            border="horizontal",
            hide_index=True,
        )
    if compared["pairs"]:
        st.markdown("**" + t("Run against run, the same test examples") + "**")
        rows = []
        for one in compared["pairs"]:
            better = {"run": one["run"], "other": one["other"]}.get(str(one["verdict"]))
            verdict = t("“{run}” is better", run=plain(names[better])) if better else None
            pair = {t("Run"): plain(names[one["run"]]), t("Minus"): plain(names[one["other"]])}
            rows.append(_row(pair, one, verdict, by.share))
        st.table(rows, border="horizontal", hide_index=True)
        if by is not metrics[0]:
            st.caption(
                t("Compared by {metric}, since models may cut texts into other tokens.", metric=message(by.title))
            )
    st.caption(
        t(
            "The p-values come from the nested bootstrap of the intervals and are adjusted by Holm's method within "
            "each table ({twins} and {pairs} comparisons), so that the chance of any false verdict in a table stays at "
            "5 %. The intervals are those of single comparisons.",
            twins=len(compared["twins"]),
            pairs=len(compared["pairs"]),
        )
    )


def _row(first: dict[str, str], one: dict[str, Any], verdict: str | None, share: bool) -> dict[str, str]:
    shown = verdict or (t("No verdict: one seed") if one["seeds"] < 2 else t("No clear difference"))
    return {
        **first,
        t("Difference"): f"**{score_text.signed_difference(one['value'], share)}** "
        f"({score_text.difference_span(one['interval'], share)})",
        t("p, adjusted"): number(one["adjusted"], 3),
        t("Verdict"): shown,
    }
