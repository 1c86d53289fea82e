"""The pilot on Strategy (successive halving of strategies): description, cost, progress and result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import models, tasks
from tlcore.core.errors import StudioError
from tlcore.core.i18n import t
from tlcore.guidance import cross_validation, pilot
from tlcore.store.tables import FAILED
from tlcore.ui import job_view
from tlcore.ui.formatting import duration, interval, message, score
from tlcore.ui.state import change_draft, owner, store

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.spec import Spec
    from tlcore.store.tables import Job, Project

KIND = "race"


def show(project: Project, spec: Spec, dataset: Dataset) -> None:
    """The state of the pilot (not run, running, failed, done); a pilot with other settings does not count."""
    asked = pilot.request(spec, dataset.fingerprint)
    job = store().jobs.newest(KIND, asked, owner())
    if job is not None and job_view.live(job):
        job_view.watch(job, t("Cancel"), key="race-cancel")
        return
    found = pilot.kept(store(), asked)
    if found:
        _result(project, found)
        return
    if job is not None and job.state == FAILED:
        job_view.failure(job)
        job_view.show_log(store().jobs.folder(job.id), key="race-log")
    _offer(project, spec, dataset, asked, job)


def _offer(project: Project, spec: Spec, dataset: Dataset, asked: dict[str, Any], job: Job | None) -> None:
    try:
        source = models.known(spec.source, store())
    except StudioError as error:
        st.caption(message(error.sentence))
        return
    racing = pilot.candidates(tasks.find(spec.task), spec.data, source=source)
    names = [_title(one) for one in racing]
    if len(names) < 2:
        st.caption(t("Of the strategies in the pilot, this task can have one alone: {names}.", names=names))
        return
    st.markdown(
        t(
            "With a few more minutes the strategies can show themselves what suits your data: {names} are trained "
            "shortly, and the worse half is dropped after each of three rounds (successive halving). Validation data "
            "only; the test set is not looked at.",
            names=names,
        )
    )
    try:
        in_fold = cross_validation.count(dataset.info.n["train"], dataset.info.n["validation"])
        seconds = pilot.guess(_plans(spec, dataset, racing), os.cpu_count() or 1, in_fold)
        st.caption(t("At most about {time} on this machine.", time=duration(seconds)))
    except StudioError as error:
        st.caption(message(error.sentence))
    stopped = job is not None and not job_view.live(job)
    label = t("Go on with the pilot") if stopped else t("Run the pilot")
    if st.button(label, icon=":material/flag:", key="race-go"):
        if stopped and job is not None:
            store().jobs.requeue(job.id)
        else:
            store().jobs.submit(KIND, owner(), asked, lane="train", project_id=project.id)
        st.rerun()


def _plans(spec: Spec, dataset: Dataset, racing: list[str]) -> list[dict[str, Any]]:
    from tlcore.flow import preview
    from tlcore.models import find

    source = find(spec.source, store())
    short = {"baseline": "none", "seeds": 1}
    return [preview(spec.with_strategy(one).model_copy(update=short), dataset, source) for one in racing]


def _result(project: Project, found: dict[str, Any]) -> None:
    st.markdown(":material/flag: **" + message(found["sentences"]["won"]) + "**")
    st.table([_row(one, found) for one in found["candidates"]], border="horizontal", hide_index=True)
    for name in ("turns", "how"):
        if name in found["sentences"]:
            st.caption(message(found["sentences"][name]))
    winner = found["winner"]
    chosen = project.draft.get("strategy") == winner
    st.button(
        t("It is chosen") if chosen else t("Use this strategy: {strategy}", strategy=_title(winner)),
        icon=":material/check:",
        key="race-use",
        disabled=chosen,
        on_click=_use,
        args=(project, winner),
    )


def _use(project: Project, strategy: str) -> None:
    """Put the strategy into the draft and into the strategy picker."""
    change_draft(project, strategy=strategy)
    st.session_state[f"strategy-{project.id}"] = strategy


def _row(one: dict[str, Any], found: dict[str, Any]) -> dict[str, str]:
    name = _title(one["strategy"])
    row = {t("Strategy"): f"**{name}**" if one["strategy"] == found["winner"] else name}
    for round_number in range(len(pilot.SHARES)):
        row[t("Round {n}", n=round_number + 1)] = _cell(one, round_number, found["share"])
    return row


def _cell(one: dict[str, Any], round_number: int, share: bool) -> str:
    """Score, interval, epochs and seconds of a round; a dash if it was not run."""
    if round_number >= len(one["rungs"]):
        return t("dropped") if one["dropped_at"] == round_number else "–"
    scored = one["rungs"][round_number]
    text = f"{score(scored['score'], share)} ({interval(scored['interval'], share)})"
    if scored["epochs"] is None:
        return text
    return text + "; " + t("{epochs} epochs, {time}", epochs=scored["epochs"], time=duration(scored["seconds"]))


def _title(strategy: str) -> str:
    from tlcore.strategies import find

    return t(find(strategy).title)
