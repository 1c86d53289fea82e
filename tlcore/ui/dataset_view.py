"""Examples on a page: findings, examples per class, counts, label corrections, the confirmed dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import tasks
from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, t, translate
from tlcore.ui import charts, label_corrections, text_view
from tlcore.ui.formatting import message, plain, short
from tlcore.ui.links import learn_link
from tlcore.ui.paging import class_picker, pager
from tlcore.ui.state import change_draft, owner, source_of, store
from tlcore.ui.thumbnails import gallery

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.core.findings import Finding, RejectedRow
    from tlcore.data.dataset import Dataset
    from tlcore.store.tables import Project

LEVELS = {
    "error": (st.error, ":material/error:"),
    "warning": (st.warning, ":material/warning:"),
    "note": (st.info, ":material/info:"),
}
A_PAGE = 12  # pictures of a class shown at once
Files = Callable[[Any], Path]


def findings(found: Sequence[Finding]) -> None:
    """The findings of the check, the most severe first, each with its files and what to do."""
    if not found:
        st.success(t("Nothing is wrong with these data."), icon=":material/check_circle:")
        return
    for level, (box, icon) in LEVELS.items():
        for finding in (one for one in found if one.level == level):
            lines = [f"**{message(finding.sentence)}**"]
            if finding.fix:
                lines.append(message(finding.fix))
            if finding.examples:
                named = ", ".join(plain(short(name, 60)) for name in finding.examples[:6])
                more = finding.count - 6 if len(finding.examples) >= 6 else 0  # else all of them are listed
                lines.append(named + (" " + t("and {n} more", n=more) if more > 0 else ""))
            box("  \n".join(lines), icon=icon)


def set_aside_download(rows: Sequence[RejectedRow], *, key: str) -> None:
    """A download button for the rejected rows as CSV."""
    if not rows:
        return
    st.download_button(
        t("Rejected rows ({n})", n=len(rows)),
        lambda: set_aside_csv(rows),
        "set-aside.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"set-aside-{key}",
    )


def set_aside_csv(rows: Sequence[RejectedRow]) -> bytes:
    """CSV of file, row and reason; cells that a spreadsheet would run as formulas are escaped."""
    from tlcore.report.predictions import table

    lines = ([row.file, "" if row.row is None else row.row, translate(row.reason.model_dump())] for row in rows)
    return table(["file", "row", "reason"], lines).encode()


def look(rows: pd.DataFrame, file: Files, *, key: str) -> None:
    """Examples of one class at a time (all, if there are no classes): pictures in a gallery, texts in a table."""
    labels = sorted(rows["label"].dropna().unique())
    if not labels:
        st.caption(t("There is nothing to show."))
        return
    if labels == [""]:
        text_view.table(rows, key=f"{key}-look")
        return
    label = class_picker(labels, key)
    chosen = rows[rows["label"] == label]
    if "file" not in rows:
        text_view.table(chosen, key=f"{key}-look-{label}")
        return
    page = pager(len(chosen), A_PAGE, f"{key}-look-{label}")
    part = chosen.iloc[page * A_PAGE : (page + 1) * A_PAGE]
    gallery([file(row) for _, row in part.iterrows()], [Path(str(name)).name for name in part["id"]])


def examples_title(rows: pd.DataFrame) -> str:
    """A heading for the examples, by modality."""
    return t("Pictures") if "file" in rows else t("Texts")


def class_bars(counts: Any, *, key: str) -> None:
    """A chart of the number of examples per class."""
    items = sorted(dict(counts).items(), key=lambda item: -item[1])
    if len(items) > 60:
        st.caption(t("The 60 largest of {n} classes.", n=len(items)))
        items = items[:60]
    charts.show(
        charts.bars([str(k) for k, _ in items], [float(v) for _, v in items], title=t("Examples of each class")),
        f"counts-{key}",
        t("Bar chart of the number of examples of each class"),
    )


def sizes(rows: pd.DataFrame, *, key: str) -> None:
    """Picture sizes in pixels: the smallest, the median, the largest, and the most common."""
    if rows.empty or "width" not in rows:
        return
    short_side = rows[["width", "height"]].min(axis=1)
    st.caption(
        t(
            "Shorter side in pixels: from {low} to {high}, half of the pictures above {middle}.",
            low=int(short_side.min()),
            high=int(short_side.max()),
            middle=int(short_side.median()),
        )
    )
    common = rows.groupby(["width", "height"]).size().sort_values(ascending=False).head(8)
    if len(common) > 1:
        names = [f"{width} × {height}" for width, height in common.index]
        title = t("Most common sizes in pixels")
        charts.show(charts.bars(names, common.tolist(), title=title), f"sizes-{key}", title)


def confirmed(project: Project, dataset: Dataset) -> None:
    """The confirmed dataset of the project: content, split, downloads, corrections."""
    info = dataset.info
    with st.container(horizontal=True):
        for name, title in (("train", t("Training")), ("validation", t("Validation")), ("test", t("Test"))):
            st.metric(title, number(info.n.get(name, 0)), border=True, width=170)
        if info.labels:
            st.metric(t("Classes"), number(len(info.labels)), border=True, width=170)
    st.markdown(message(info.split_said))
    st.caption(t("Fingerprint {fingerprint}, from {origin}", fingerprint=info.fingerprint, origin=plain(info.origin)))
    learn_link("glossary", t("Why three parts?"))
    text_view.language_warning(source_of(project.draft), dataset.rows)
    with st.container(horizontal=True):
        st.download_button(
            t("The split as CSV"),
            dataset.split_csv,
            "split.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
            key="split-csv",
        )
        set_aside_download(dataset.set_aside(), key="dataset")
    if info.findings:
        with st.expander(t("What the check found ({n})", n=len(info.findings)), icon=":material/fact_check:"):
            findings(info.findings)
    view = st.segmented_control(
        t("View"),
        ["look", "counts", "correct"] if info.labels else ["look", "correct"],
        default="look",
        required=True,
        key="dataset-view",
        format_func={
            "look": examples_title(dataset.rows),
            "counts": t("Counts"),
            "correct": label_corrections.title(info.task),
        }.__getitem__,
    )
    if view == "look":
        look(dataset.rows, dataset.file, key="dataset")
    elif view == "counts":
        counts = dataset.rows.groupby(["label", "split"]).size().unstack(fill_value=0)
        counts = counts[[name for name in ("train", "validation", "test") if name in counts]]
        charts.show(charts.split_counts(counts.head(60)), "dataset-counts", t("Examples of each class in each split"))
        sizes(dataset.rows, key="dataset")
    else:
        _relabel(project, dataset)


def _relabel(project: Project, dataset: Dataset) -> None:
    """Label corrections of a confirmed dataset: they make a new dataset; the old one and its runs are unchanged."""
    from tlcore.data.confirm import relabel

    kept = dict(project.draft.get("corrections") or {})
    key = f"dataset-{dataset.fingerprint}"
    changed = label_corrections.edit(dataset.info.task, dataset.rows, dataset.file, kept, key=key)
    if changed != kept:
        change_draft(project, corrections=changed or None)
    if st.button(
        t("Make a dataset with these changes ({n})", n=len(changed)),
        disabled=not changed,
        icon=":material/check:",
        key="relabel",
    ):
        try:
            made = relabel(dataset, changed, tasks.find(dataset.info.task), store(), owner())
        except StudioError as error:
            st.error(message(error.sentence), icon=":material/error:")
            return
        change_draft(project, data={"dataset": made.fingerprint}, corrections=None)
        st.rerun()
