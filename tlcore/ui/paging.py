"""Widgets to choose which examples are shown: label picker and pager."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui.formatting import plain, short


def class_picker(labels: list[str], key: str, title: str | None = None) -> str:
    """A picker for one label; returns '' if no label is selected."""
    title = title or t("Class")
    if len(labels) <= 12:
        chosen = st.pills(
            title,
            labels,
            default=labels[0],
            required=True,
            key=f"{key}-class",
            format_func=lambda label: plain(short(label, 40)) or t("no label"),
        )
        return str(chosen)
    return str(
        st.selectbox(title, labels, key=f"{key}-class-list", width=420, format_func=lambda one: one or t("no label"))
    )


def pager(count: int, page: int, key: str) -> int:
    """The page to show of ``count`` items; a number input if there is more than one page."""
    pages = -(-count // page)
    if pages <= 1:
        return 0
    return int(st.number_input(t("Page (of {n})", n=pages), 1, pages, 1, key=f"page-{key}", width=160)) - 1
