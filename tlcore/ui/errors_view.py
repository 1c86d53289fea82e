"""The errors with the highest confidence, and their explanations (Grad-CAM, word attributions)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.data.dataset import Dataset
from tlcore.report.redaction import DELETED
from tlcore.ui import job_view, text_view, word_attributions_view
from tlcore.ui.formatting import message, plain, score, short
from tlcore.ui.state import owner, store
from tlcore.ui.thumbnails import gallery, thumbnail

if TYPE_CHECKING:
    from tlcore.store.tables import Job, Run

VIEW = 288  # side of the selected picture, in pixels


def show(run: Run, report: dict[str, Any]) -> None:
    """The worst errors; a selected one is explained."""
    worst = report.get("worst") or []
    if run.data_deleted:
        st.info(message(DELETED), icon=":material/delete:")
        return
    if not worst:
        st.caption(t("The packed model made no error on the test set."))
        return
    if "text" in worst[0]:
        left = text_view.errors(worst, key=f"errors-{run.id}")
        if left and report.get("confusion"):
            _words(run, left)
        return
    try:
        dataset = Dataset.open(store(), str(run.dataset), run.owner)
    except UnusableInput as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    captions = [f"{short(str(one['truth']), 12)} → {short(str(one['prediction']), 12)}" for one in worst]
    st.caption(t("The errors the model was surest of: label → what it said."))
    gallery([dataset.file(one["file"]) for one in worst], captions)
    numbers = list(range(len(worst)))
    chosen = st.selectbox(
        t("Look closer at"),
        numbers,
        key=f"worst-{run.id}",
        width=520,
        format_func=lambda i: f"{i + 1}. {short(worst[i]['id'], 40)}: {captions[i]}",
    )
    _closer(run, worst[chosen], dataset.file(worst[chosen]["file"]))


def _words(run: Run, errors: list[dict[str, Any]]) -> None:
    """Select one error and show the word attributions of its prediction."""
    chosen = st.selectbox(
        t("Look closer at"),
        list(range(len(errors))),
        key=f"words-of-{run.id}",
        width=520,
        format_func=lambda i: f"{short(errors[i]['text'], 50)}: {errors[i]['truth']} → {errors[i]['prediction']}",
    )
    error = errors[chosen]
    if "words" in error:
        word_attributions_view.show(error["words"], str(error["prediction"]))
        return
    try:
        rows = Dataset.open(store(), str(run.dataset), run.owner).rows
    except UnusableInput as problem:
        st.error(message(problem.sentence), icon=":material/error:")
        return
    text = rows.loc[rows["id"] == error["id"], "text"]
    if len(text):
        given = {"run": run.id, "text": text.iloc[0], "label": error["prediction"]}
        word_attributions_view.on_demand(given, f"{run.id}-{error['id']}")


def _closer(run: Run, error: dict[str, Any], path: Path) -> None:
    folder = store().runs.folder(run.id)
    picture, heat = _figure(folder, error.get("picture")), _figure(folder, error.get("gradcam"))
    with st.container(horizontal=True, gap="medium"):
        st.image(picture or thumbnail(path, VIEW), width=VIEW, caption=t("The picture"), alt=t("The picture"))
        if heat:
            st.image(
                heat,
                width=VIEW,
                caption=t("Where the model looked (Grad-CAM)"),
                alt=t("The picture with the places that spoke for the prediction in warm colours"),
            )
        with st.container(width=320):
            st.markdown(
                t(
                    "Label: **{truth}**  \nPrediction: **{prediction}** ({share})",
                    truth=plain(error["truth"]),
                    prediction=plain(error["prediction"]),
                    share=score(error["confidence"]),
                )
            )
            if error.get("confidence_truth") is not None:
                st.caption(t("It gave the label {share}.", share=score(error["confidence_truth"])))
            st.caption(plain(error["id"]))
            st.caption(t("If the label is wrong, correct it on the Data page and run again."))
    if not heat:
        _explain(run, error)


def _figure(folder: Path, name: Any) -> bytes | None:
    """A figure of the report by its file name; only from the run's own folder. None if there is none."""
    if not name:
        return None
    path = (folder / "figures" / str(name).removeprefix("figures/")).resolve()
    return path.read_bytes() if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _explain(run: Run, error: dict[str, Any]) -> None:
    """A button that computes Grad-CAM in a quick job."""
    key = f"explain-{run.id}-{error['id']}"
    job_id = st.session_state.get(key)
    if job_id is None:
        if st.button(t("Show where the model looked"), icon=":material/visibility:", key="explain-go"):
            given = {"run": run.id, "id": error["id"]}
            st.session_state[key] = store().jobs.submit("explain", owner(), given, project_id=run.project_id).id
            st.rerun()
        return
    if job := job_view.outcome(job_id):
        _explained(job)


def _explained(job: Job) -> None:
    output, folder = job.output or {}, store().jobs.folder(job.id)
    names = [Path(str(output[name])).name for name in ("picture", "gradcam") if output.get(name)]
    pictures = [(folder / name).read_bytes() for name in names if (folder / name).is_file()]
    if output.get("gradcam") and pictures:
        st.image(pictures, width=VIEW)
    else:
        st.caption(t("This kind of network has no map of places to show."))
