"""Shared pre-training on the pages: its loss curve, and publishing its network as a source model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from tlcore.core.i18n import number, t
from tlcore.ui import charts
from tlcore.ui.formatting import plain, size
from tlcore.ui.state import owner, store

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.store.tables import Run

# Fields of pre-training that the library stores.
ABOUT = ("objective", "set", "fingerprint", "examples", "epochs", "start")


def curve(points: pd.DataFrame) -> None:
    """The loss over the epochs of pre-training; shows nothing if the run has none."""
    from tlcore.report.pre_training_text import TITLE, points_of

    own = points_of(points)
    if not own.empty:
        title = t(TITLE)
        figure = charts.curves(own.assign(trial="final"), "train_loss", title=title, share=False)
        charts.show(figure, "pre-training", title)


def publish(run: Run) -> None:
    """Download the pre-trained network of a run, or publish it to the library as a source model."""
    from tlcore.bundle.pretrained_source import FILE

    pre_training, path = (run.report or {}).get("pre_training"), store().runs.folder(run.id) / FILE
    if not pre_training or not path.exists():
        return
    st.markdown("**" + t("The pre-trained network") + "**")
    st.caption(
        t(
            "What was learned from {name} ({n} examples), without your labels: a source model for further runs.",
            name=plain(pre_training["set"]),
            n=number(pre_training["examples"]),
        )
    )
    known = [m for m in store().models.all() if m.run_id == run.id and m.about.get("pre_training")]
    with st.container(horizontal=True):
        st.download_button(
            t("Download it ({size})", size=size(path.stat().st_size)),
            path.read_bytes,
            f"{run.name}-{FILE}",
            "application/zip",
            on_click="ignore",
            icon=":material/download:",
            key="pre-trained-download",
        )
        if not known and st.button(
            t("Publish the pre-trained model as a source"), icon=":material/publish:", key="publish-pre-trained"
        ):
            _publish(run, path.stat().st_size)
            st.rerun()
    if known:
        text = t(
            "In the library as “{name}”; as a source: {ref}", name=plain(known[0].name), ref=f"`library/{known[0].id}`"
        )
        st.success(text, icon=":material/local_library:")


def _publish(run: Run, size: int) -> None:
    from tlcore.bundle.pretrained_source import FILE

    report = run.report or {}
    source, pre_training = report["source"], report["pre_training"]
    about = {
        "pre_training": {name: pre_training[name] for name in ABOUT},
        **{name: source.get(name) for name in ("licence", "architecture", "parameters")},
        "source": source["id"],
        "bytes": size,
        "strategy": report["strategy"],
        "modality": (run.plan or {}).get("modality"),
    }
    store().models.publish(
        store().runs.folder(run.id) / FILE,
        name=t("{name}, pre-trained", name=run.name),
        owner=owner(),
        task=run.task,
        run_id=run.id,
        about=about,
    )
