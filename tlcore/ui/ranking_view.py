"""Ranking of the available source models by their transferability to the user's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import number, t
from tlcore.ui import job_view
from tlcore.ui.formatting import duration, interval, message, plain, score
from tlcore.ui.state import change_draft, owner, store

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.store.tables import Project


def show(project: Project, dataset: Dataset, source: str) -> None:
    """The ranking, or the button to compute it."""
    from tlcore.guidance import kept_ranking

    rows = kept_ranking(store(), dataset.fingerprint, owner())
    job = store().jobs.newest("rank", {"dataset": dataset.fingerprint}, owner())
    box = st.expander(
        t("Which source model suits these data?"),
        icon=":material/leaderboard:",
        expanded=len(rows) > 1 or (job is not None and job_view.live(job)),
    )
    with box:
        if job is not None and job_view.live(job):
            job_view.watch(job, t("Stop ranking"), key="rank-cancel", title=t("Ranking the source models"))
        else:
            job_view.ended_badly(job)
            _offer(project, dataset, source)
        if rows:
            _rows(project, rows, source)


def _offer(project: Project, dataset: Dataset, source: str) -> None:
    from tlcore.models import hub

    st.markdown(
        t("Each source that can be had from here looks at your examples once; those that were measured are kept.")
    )
    download = False
    if hub.remembered():
        download = st.checkbox(
            t("Also those that would be downloaded"),
            key="rank-download",
            help=t("This can take gigabytes and many minutes."),
        )
    if st.button(t("Rank the source models"), icon=":material/leaderboard:", key="rank-go"):
        asked = {"task": dataset.info.task, "dataset": dataset.fingerprint, "source": source, "download": download}
        job_view.submit(project, "rank", asked)


def _rows(project: Project, rows: list[dict[str, Any]], source: str) -> None:
    """One row per source: linear probe with interval, other estimates, and a button to use it."""
    place = 0
    for row in rows:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            if row["problem"] is not None:
                st.markdown(f":material/block: **{plain(row['title'])}** · {message(row['problem'])}", width="stretch")
                continue
            place += 1
            st.markdown(f"**{place}. {plain(row['title'])}**  \n{_told(row)}", width="stretch")
            if row["id"] == source:
                st.badge(t("chosen"), icon=":material/check:", color="green")
            elif st.button(t("Use this source"), key=f"use-{row['id']}"):
                change_draft(project, source=row["id"])
                st.rerun()
    st.caption(
        t(
            "In the order of the linear probe, nearest neighbours, LogME and H-score together: by how often a source "
            "beats another. Intervals that overlap much mean that these data do not tell the sources apart."
        )
        if any(row["score"] is not None for row in rows)
        else t(
            "In the order of similarity: of what can be measured before training, this alone is there for a task "
            "without classes. The pilot, or two runs, say more."
        )
    )


def _told(row: dict[str, Any]) -> str:
    probe = row["probe"]
    parts = [] if row["score"] is not None or row["similarity"] is not None else [t("nothing could be measured")]
    if probe:
        parts.append(
            t("linear probe {value} ({interval})", value=score(probe["value"]), interval=interval(probe["interval"]))
        )
    if row["log_me"] is not None:
        parts.append(t("LogME {value}", value=number(row["log_me"], 3)))
    if row["similarity"] is not None:
        parts.append(t("similarity {value}", value=number(row["similarity"], 2)))
    if row["seconds"] is not None:
        parts.append(t("measured in {time}", time=duration(row["seconds"])))
    return plain(" · ".join(parts))
