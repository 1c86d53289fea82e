"""Examples on a page: findings, examples of each class, counts, corrected labels, the confirmed dataset."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import tasks
from tlcore.errors import StudioError
from tlcore.ui import charts, texts
from tlcore.ui.links import learn_link
from tlcore.ui.pictures import data_url, gallery
from tlcore.ui.state import change_draft, owner, source_of, store
from tlcore.ui.text import plain, sentence, short
from tlcore.words import number, read, t

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.data.dataset import Dataset
    from tlcore.data.findings import Finding, SetAside
    from tlcore.store.tables import Project

LEVELS = {
    "error": (st.error, ":material/error:"),
    "warning": (st.warning, ":material/warning:"),
    "note": (st.info, ":material/info:"),
}
A_PAGE = 12  # pictures of a class at once
ROWS = 40  # rows of the label table at once
Files = Callable[[Any], Path]


def findings(found: Sequence[Finding]) -> None:
    """What the check found, the worst first; each with files and with what to do."""
    if not found:
        st.success(t("Nothing is wrong with these data."), icon=":material/check_circle:")
        return
    for level, (box, icon) in LEVELS.items():
        for finding in (one for one in found if one.level == level):
            lines = [f"**{sentence(finding.sentence)}**"]
            if finding.fix:
                lines.append(sentence(finding.fix))
            if finding.examples:
                named = ", ".join(plain(short(name, 60)) for name in finding.examples[:6])
                more = finding.count - 6 if len(finding.examples) >= 6 else 0  # else all of them are named
                lines.append(named + (" " + t("and {n} more", n=more) if more > 0 else ""))
            box("  \n".join(lines), icon=icon)


def set_aside_download(rows: Sequence[SetAside], *, key: str) -> None:
    """What was left out, as a CSV to take away."""
    if not rows:
        return
    st.download_button(
        t("What was set aside ({n})", n=len(rows)),
        lambda: set_aside_csv(rows),
        "set-aside.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"set-aside-{key}",
    )


def set_aside_csv(rows: Sequence[SetAside]) -> bytes:
    """File, row and reason; cells that a spreadsheet would run as formulas are quoted."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["file", "row", "reason"])
    for row in rows:
        writer.writerow([_cell(row.file), "" if row.row is None else row.row, _cell(read(row.reason.model_dump()))])
    return out.getvalue().encode()


def _cell(text: str) -> str:
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def look(rows: pd.DataFrame, file: Files, *, key: str) -> None:
    """Examples of one class at a time: pictures in rows, texts in a table. All of them where there are no classes."""
    labels = sorted(rows["label"].dropna().unique())
    if not labels:
        st.caption(t("There is nothing to show."))
        return
    if labels == [""]:
        texts.table(rows, key=f"{key}-look")
        return
    label = _class_picker(labels, key)
    chosen = rows[rows["label"] == label]
    if "file" not in rows:
        texts.table(chosen, key=f"{key}-look-{label}")
        return
    page = _pager(len(chosen), A_PAGE, f"{key}-look-{label}")
    part = chosen.iloc[page * A_PAGE : (page + 1) * A_PAGE]
    gallery([file(row) for _, row in part.iterrows()], [Path(str(name)).name for name in part["id"]])


def examples_title(rows: pd.DataFrame) -> str:
    """What the examples are, as a heading."""
    return t("Pictures") if "file" in rows else t("Texts")


def _class_picker(labels: list[str], key: str) -> str:
    if len(labels) <= 12:
        chosen = st.pills(
            t("Class"),
            labels,
            default=labels[0],
            required=True,
            key=f"{key}-class",
            format_func=lambda label: plain(short(label, 40)),
        )
        return str(chosen)
    return str(st.selectbox(t("Class"), labels, key=f"{key}-class-list", width=420))


def _pager(count: int, page: int, key: str) -> int:
    """Which page of ``count`` things to show; a number input where there is more than one."""
    pages = -(-count // page)
    if pages <= 1:
        return 0
    return int(st.number_input(t("Page (of {n})", n=pages), 1, pages, 1, key=f"page-{key}", width=160)) - 1


def class_bars(counts: Any, *, key: str) -> None:
    """How many examples each class has."""
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
    """How large the pictures are: the smallest, the middle, the largest, and the most common sizes."""
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


def correct_labels(rows: pd.DataFrame, file: Files, corrections: dict[str, str], *, key: str) -> dict[str, str]:
    """A table in which labels can be changed; gives back all corrections so far, by file."""
    import pandas as pd

    labels = sorted({*rows["label"].dropna().unique(), *corrections.values()})
    label = _class_picker(sorted(rows["label"].dropna().unique()), f"{key}-correct")
    chosen = rows[rows["label"] == label]
    page = _pager(len(chosen), ROWS, f"{key}-correct-{label}")
    part = chosen.iloc[page * ROWS : (page + 1) * ROWS]
    pictures = "file" in part
    table = pd.DataFrame(
        {
            "picture" if pictures else "text": [
                data_url(file(row)) if pictures else texts.short(row["text"]) for _, row in part.iterrows()
            ],
            "file": part["id"].astype(str).to_numpy(),
            "label": [corrections.get(str(name), value) for name, value in zip(part["id"], part["label"], strict=True)],
        }
    )
    st.caption(t("Click a label to change it. Changes are kept at once and used when you confirm."))
    edited = st.data_editor(
        table,
        key=f"editor-{key}-{label}-{page}",
        hide_index=True,
        disabled=["picture", "text", "file"],
        row_height=56,
        height=620 if len(table) > 10 else "auto",
        alt=t("Examples with their labels"),
        column_config={
            "picture": st.column_config.ImageColumn(t("Picture"), width="small"),
            "text": st.column_config.TextColumn(t("Text"), width="large"),
            "file": st.column_config.TextColumn(t("File") if pictures else t("Row")),
            "label": st.column_config.SelectboxColumn(t("Label"), options=labels, required=True),
        },
    )
    changed = dict(corrections)
    for name, was, now in zip(edited["file"], part["label"], edited["label"], strict=True):
        if now in labels and now != was:
            changed[name] = now
        else:
            changed.pop(name, None)
    return changed


def confirmed(project: Project, dataset: Dataset) -> None:
    """The dataset of the project: what it holds, how it was split, downloads, corrections."""
    info = dataset.info
    with st.container(horizontal=True):
        for name, title in (("train", t("Training")), ("validation", t("Validation")), ("test", t("Test"))):
            st.metric(title, number(info.n.get(name, 0)), border=True, width=170)
        if info.labels:
            st.metric(t("Classes"), number(len(info.labels)), border=True, width=170)
    st.markdown(sentence(info.split_said))
    st.caption(t("Fingerprint {fingerprint}, from {origin}", fingerprint=info.fingerprint, origin=plain(info.origin)))
    learn_link("glossary", t("Why three parts?"))
    texts.language_warning(source_of(project.draft), dataset.rows)
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
        ["look", "counts", "correct"] if info.labels else ["look"],
        default="look",
        required=True,
        key="dataset-view",
        format_func={
            "look": examples_title(dataset.rows),
            "counts": t("Counts"),
            "correct": t("Correct labels"),
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
    """Corrections of a confirmed dataset make a new one; the old one and its runs stay as they are."""
    from tlcore.data.confirming import relabel

    kept = dict(project.draft.get("corrections") or {})
    changed = correct_labels(dataset.rows, dataset.file, kept, key=f"dataset-{dataset.fingerprint}")
    if changed != kept:
        change_draft(project, corrections=changed or None)
    if st.button(
        t("Make a dataset with {n} corrected labels", n=len(changed)),
        disabled=not changed,
        icon=":material/check:",
        key="relabel",
    ):
        try:
            made = relabel(dataset, changed, tasks.find(dataset.info.task), store(), owner())
        except StudioError as error:
            st.error(sentence(error.sentence), icon=":material/error:")
            return
        change_draft(project, data={"dataset": made.fingerprint}, corrections=None)
        st.rerun()
