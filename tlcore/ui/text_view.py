"""Texts on the pages: ways of upload, tables, errors, and input for trying a model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import Sentence, sentence, t
from tlcore.core.safe_csv import cell
from tlcore.ui.formatting import message, percent_or_dash, plain
from tlcore.ui.state import store

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.data.readers import Reader

EXCERPT = 300  # characters of a text in a table
ROWS = 25  # rows per page of a table
# Columns of every text dataset, which are not shown, and titles of the columns that tasks add.
NOT_SHOWN = (
    "id",
    "text",
    "label",
    "split",
    "group",
    "row",
    "sha256",
    "characters",
    "near",
    "language",
    "entities",
    "turns",
    "ends",
    "spans",
    "answerable",
)
OWN: dict[str, Sentence] = {
    "labels": sentence("Labels"),
    "marked": sentence("Entities"),
    "completion": sentence("Completion"),
    "document": sentence("Document"),
    "target": sentence("Target"),
    "question": sentence("Question"),
    "answer": sentence("Answer"),
    "title": sentence("Article"),
}


class Pasted(io.BytesIO):
    """Text typed into a field, with the interface of an uploaded file."""

    def __init__(self, typed: str, suffix: str):
        super().__init__(typed.encode())
        self.name = f"pasted{suffix}"


def ways() -> dict[str, str]:
    """The ways to upload texts: titles by id."""
    return {
        "table": t("A table"),
        "tables": t("Tables named train, validation, test"),
        "zip": t("A zip of tables"),
        "paste": t("Paste a table"),
        "hub": t("A dataset on the hub"),
    }


def inputs(way: str, help: str, readers: Sequence[Reader]) -> dict[str, Any]:
    """The widgets of one of the `ways`; returns its input, such as ``files``. ``readers`` define the accepted files."""
    types = list(dict.fromkeys(suffix[1:] for reader in readers for suffix in reader.suffixes))
    if way == "table":
        st.caption("  \n".join(t(reader.what) for reader in readers))
        file = st.file_uploader(t("Table"), type=types, key="upload-texts", help=help)
        return {"files": [file] if file else []}
    if way == "tables":
        st.caption(t("The files train, validation (also val, dev) and test; your split is kept."))
        files = st.file_uploader(
            t("Tables"), type=types, accept_multiple_files=True, key="upload-texts-several", help=help
        )
        return {"files": files or []}
    if way == "zip":
        st.caption(t("One table, or the files train, validation and test."))
        file = st.file_uploader(t("Zip file"), type=["zip"], key="upload-texts-zip", help=help)
        return {"files": [file] if file else []}
    if way == "hub":
        return hub_name()
    first = next(reader for reader in readers if reader.example)
    st.caption(
        t("Copied from a spreadsheet or a file: the first row names the columns.")
        if "," in first.example
        else t(first.what)
    )
    pasted = st.text_area(t("Table"), key="upload-texts-pasted", height=180, placeholder=f"{first.example}\n…")
    return {"files": [Pasted(pasted, first.suffixes[0])] if pasted.strip() else []}


def hub_name() -> dict[str, Any]:
    """A text field for the name of a hub dataset; returned as ``path``."""
    name = st.text_input(t("Name on the hub"), placeholder="owner/name", key="upload-hub").strip()
    return {"path": f"hf://{name.removeprefix('hf://')}" if name else None, "hub": True}


def language_warning(source: str, rows: pd.DataFrame) -> None:
    """A warning if the chosen source model does not cover the languages of the texts."""
    from tlcore.modalities.text.languages import shares
    from tlcore.models import find
    from tlcore.models.source_languages import unspoken

    try:
        warning = unspoken(find(source, store()), shares(rows))
    except StudioError:  # the Source page shows the problem
        return
    if warning:
        st.warning(message(warning), icon=":material/translate:")


def short(text: object) -> str:
    """The start of a text on one line, at most `EXCERPT` characters."""
    text_line = " ".join(str(text).split())
    return no_formula(text_line if len(text_line) <= EXCERPT else text_line[: EXCERPT - 1] + "…")


def no_formula(text: str) -> str:
    """A cell with a zero-width space before a spreadsheet formula, since Streamlit's table download escapes nothing."""
    return text if cell(text) == text else f"\u200b{text}"


def searched(key: str) -> str:
    """A search field; returns the search text. It has a placeholder because Streamlit's default is English."""
    return st.text_input(
        t("Search"), type="search", key=f"{key}-search", width=320, placeholder=t("words in the text")
    ).strip()


def table(rows: pd.DataFrame, *, key: str) -> None:
    """A searchable table of texts with their labels."""
    import pandas as pd

    wanted = searched(key)
    if wanted:
        rows = rows[rows["text"].str.contains(wanted, case=False, regex=False)]
    if rows.empty:
        st.caption(t("No text holds these words."))
        return
    pages = -(-len(rows) // ROWS)
    page = 1
    if pages > 1:
        page = int(st.number_input(t("Page (of {n})", n=pages), 1, pages, 1, key=f"{key}-page-{wanted}", width=160))
    part = rows.iloc[(page - 1) * ROWS : page * ROWS]
    columns = (
        {"label": part["label"]} if (part["label"] != "").any() else {name: part[name].map(short) for name in own(rows)}
    )
    shown = pd.DataFrame({"text": part["text"].map(short), **columns, "row": part["id"]})
    st.dataframe(
        shown,
        hide_index=True,
        alt=t("Texts with their labels"),
        column_config={
            "text": st.column_config.TextColumn(t("Text"), width="large"),
            "label": t("Label"),
            "row": t("Row"),
            **{name: t(OWN[name]) for name in columns if name in OWN},
        },
    )


def own(rows: pd.DataFrame) -> list[str]:
    """The task-specific columns that are shown."""
    return [name for name in rows.columns if name not in NOT_SHOWN and (rows[name] != "").any()]


def examples(rows: Sequence[dict[str, Any]]) -> None:
    """A few texts, each with its file and row."""
    for one in rows:
        st.markdown(f"> {plain(short(one['text']))}")
        st.caption(plain(str(one["id"])))


def errors(worst: Sequence[dict[str, Any]], *, key: str) -> list[dict[str, Any]]:
    """A searchable table of the errors with the highest confidence; returns those that match the search."""
    import pandas as pd

    graded = "score" in worst[0]
    sure, truth = ("score", t("Truth")) if graded else ("confidence", t("Label"))
    st.caption(
        t("The worst answers first. Click a heading to sort.")
        if graded
        else t("The errors the model was surest of. Click a heading to sort.")
    )
    wanted = searched(key).lower()
    kept = [
        one
        for one in worst
        if not wanted or wanted in " ".join(map(str, (one["text"], one["truth"], one["prediction"]))).lower()
    ]
    if not kept:
        st.caption(t("No error holds these words."))
        return []
    shown = pd.DataFrame(
        {
            "text": [no_formula(" ".join(one["text"].split())) for one in kept],
            "truth": [no_formula(str(one["truth"])) for one in kept],
            "prediction": [no_formula(str(one["prediction"])) for one in kept],
            "sure": [percent_or_dash(one[sure]) for one in kept],
            "row": [one["id"] for one in kept],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        row_height=70,
        alt=t("Errors of the model"),
        column_config={
            "text": st.column_config.TextColumn(t("Text"), width=320 if graded else "large"),
            "truth": st.column_config.TextColumn(truth, width=200 if graded else None),
            "prediction": st.column_config.TextColumn(t("Prediction"), width=200 if graded else None),
            "sure": t("Score") if graded else t("How sure"),
            "row": t("Row"),
        },
    )
    st.caption(
        t("Where the data are wrong, correct the example or leave it out on the Data page, and run again.")
        if graded
        else t("If a label is wrong, correct it on the Data page and run again.")
    )
    return kept


def asked(key: str) -> list[tuple[str, str]]:
    """A text field for texts to predict; returns (name, text) per line."""
    typed = st.text_area(
        t("One text a line"), key=f"try-text-{key}", height=140, placeholder=t("Type or paste texts here")
    )
    lines = [line.strip() for line in typed.splitlines() if line.strip()]
    return [(str(number), line) for number, line in enumerate(lines, 1)]
