"""Deletion of the user's datasets, with a confirmation dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, t
from tlcore.ui.formatting import message, plain, short, when
from tlcore.ui.state import owner, store

if TYPE_CHECKING:
    from tlcore.store.tables import DatasetRow


def show(chosen: str | None = None) -> None:
    """All datasets of this user, to delete one; ``chosen`` is the preselected fingerprint."""
    rows = {row.fingerprint: row for row in store().datasets.all(owner())}
    if not rows:
        return
    titles = {fingerprint: _title(row) for fingerprint, row in rows.items()}
    with st.expander(t("Your datasets ({n})", n=number(len(rows))), icon=":material/database:", key="datasets"):
        picked = st.selectbox(
            t("Dataset"),
            list(rows),
            list(rows).index(chosen) if chosen in rows else 0,
            format_func=titles.__getitem__,
            key=f"dataset-to-delete-{chosen}",
        )
        if st.button(t("Delete this dataset"), icon=":material/delete:", key="dataset-delete"):
            st.dialog(t("Delete the dataset?"))(_ask)(rows[picked])


def _title(row: DatasetRow) -> str:
    return f"{short(row.name, 60)} · {number(row.n)} · {row.fingerprint} · {when(row.created)}"


def _ask(row: DatasetRow) -> None:
    """The dialog: what is deleted, what is kept, who else uses the dataset, and the confirmation."""
    from tlcore.execution.deletion import delete_dataset, use_of

    use = use_of(store(), row.fingerprint, owner())
    st.markdown(
        t(
            "“{name}” goes for good: its {n} examples, what was uploaded for it, and everything that was computed from "
            "it.",
            name=plain(row.name),
            n=number(row.n),
        )
    )
    st.markdown(t("Projects of yours that use it: {n}.", n=number(use.projects)))
    st.markdown(
        t(
            "Runs of yours made from it: {n}. They keep their scores, curves and models, and say that their data were "
            "deleted; pictures, texts and predictions of single examples go.",
            n=number(use.runs),
        )
    )
    if use.joined:
        st.markdown(t("Datasets that were joined from it go as well: {n}.", n=number(use.joined)))
    if use.shared:
        st.info(t("Others on this server have the same content; what is theirs stays."), icon=":material/group:")
    if use.unfinished:
        st.warning(t("A run or a job that has not ended uses these data. Stop it, or wait until it has ended."))
    with st.container(horizontal=True):
        if st.button(
            t("Delete"),
            type="primary",
            icon=":material/delete:",
            key="dataset-delete-go",
            disabled=bool(use.unfinished),
        ):
            try:
                delete_dataset(store(), row.fingerprint, owner())
            except StudioError as error:
                st.error(message(error.sentence), icon=":material/error:")
                return
            st.toast(t("The dataset is deleted."), icon=":material/check:")
            st.rerun()
        if st.button(t("Keep it"), key="dataset-delete-no"):
            st.rerun()
