"""Label corrections and exclusion of examples, in a table on the Data page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.core.safe_csv import WITHOUT
from tlcore.data.readers.text_labels import BETWEEN
from tlcore.ui import text_view
from tlcore.ui.paging import class_picker, pager
from tlcore.ui.thumbnails import data_url

if TYPE_CHECKING:
    import pandas as pd

ROWS = 40  # rows per page of the table


def title(task: str) -> str:
    """The title of the table, by task."""
    return t("Correct labels") if _column(task) else t("Leave examples out")


def edit(task: str, rows: pd.DataFrame, file: Any, corrections: dict[str, str], *, key: str) -> dict[str, str]:
    """A table to change labels and leave out examples; returns all corrections so far, by file."""
    column = _column(task)
    chosen, place = _part(rows, column, f"{key}-correct")
    page = pager(len(chosen), ROWS, f"{key}-correct-{place}")
    part = chosen.iloc[page * ROWS : (page + 1) * ROWS]
    if part.empty:
        st.caption(t("No text holds these words."))
        return corrections
    shown = _list if column == "labels" else str
    pictures = "file" in part
    table = _table(part, file)
    names = part["id"].astype(str).tolist()
    if column:
        table["label"] = [shown(corrections.get(name) or was) for name, was in zip(names, part[column], strict=True)]
    table["out"] = [corrections.get(name) == "" for name in names]
    st.caption(
        t(
            "Click a label to change it, or tick what is to be left out. Changes are kept at once; the button below "
            "uses them."
        )
        if column
        else t(
            "Tick what is to be left out. Ticks are kept at once; the button below uses them. What is wrong in an "
            "example is put right in your file, in the row that is named here: upload it again then."
        )
    )
    edited = st.data_editor(
        table,
        key=f"editor-{key}-{place}-{page}",
        hide_index=True,
        disabled=[name for name in table if name not in ("label", "out")],
        row_height=56,
        height=620 if len(table) > 10 else "auto",
        alt=t("Examples with their labels"),
        column_config={
            "picture": st.column_config.ImageColumn(t("Picture"), width="small"),
            "text": st.column_config.TextColumn(t("Text"), width="large"),
            "file": st.column_config.TextColumn(t("File") if pictures else t("Row")),
            "out": st.column_config.CheckboxColumn(t("Leave out"), width=140, pinned=True),
            **{name: t(text_view.OWN[name]) for name in table if name in text_view.OWN},
            "label": _label_column(rows, column, corrections),
        },
    )
    changed = dict(corrections)
    was = part[column] if column else [""] * len(part)
    now = edited["label"] if column else [""] * len(part)
    for name, before, after, out in zip(names, was, now, edited["out"], strict=True):
        correction = "" if out else _told(after, column)
        if out or (correction and correction != (before or WITHOUT)):
            changed[name] = correction
        else:
            changed.pop(name, None)
    return changed


def _column(task: str) -> str | None:
    from tlcore import tasks

    return tasks.find(task).corrects


def _part(rows: pd.DataFrame, column: str | None, key: str) -> tuple[pd.DataFrame, str]:
    """The rows of one label (without labels: those that contain a search text), and the selected value."""
    if column is None:
        wanted = text_view.searched(key)
        return (rows[rows["text"].str.contains(wanted, case=False, regex=False)] if wanted else rows), wanted
    if column == "label":
        label = class_picker(sorted(rows["label"].dropna().unique()), key)
        return rows[rows["label"] == label], label
    sets = rows[column].str.split(BETWEEN)
    label = class_picker(sorted({one for labels in sets for one in labels}), key, t("Label"))
    return rows[sets.map(lambda labels: label in labels)], label


def _table(part: pd.DataFrame, file: Any) -> pd.DataFrame:
    """The displayed columns of the examples."""
    import pandas as pd

    if "file" in part:
        columns: dict[str, Any] = {"picture": [data_url(file(row)) for _, row in part.iterrows()]}
    else:
        columns = {"text": part["text"].map(text_view.short)}
        columns |= {name: part[name].map(text_view.short) for name in text_view.own(part) if name != "labels"}
    return pd.DataFrame({**columns, "file": part["id"].astype(str)}).reset_index(drop=True)


def _label_column(rows: pd.DataFrame, column: str | None, corrections: dict[str, str]) -> Any:
    if column == "labels":
        every = {one for labels in rows[column].str.split(BETWEEN) for one in labels}
        every |= {one for label in corrections.values() for one in _list(label)}
        return st.column_config.MultiselectColumn(t("Labels"), options=sorted(every - {""}), width="medium")
    labels = {*rows[column].dropna().unique(), *corrections.values()} if column else set()
    return st.column_config.SelectboxColumn(t("Label"), options=sorted(labels - {""}), required=True)


def _list(text: str) -> list[str]:
    return [one for one in text.split(BETWEEN) if one and one != WITHOUT]


def _told(shown: Any, column: str | None) -> str:
    """The value of an edited cell as a correction."""
    if column == "labels":
        return BETWEEN.join(sorted(shown)) if shown is not None and len(shown) else WITHOUT
    return shown if isinstance(shown, str) else ""
