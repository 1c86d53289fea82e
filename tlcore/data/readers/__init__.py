"""Readers of upload formats, in the order in which they are tried. One line per format."""

from __future__ import annotations

from tlcore.core.registry import by_id
from tlcore.data.readers import (
    chats,
    hub,
    image_folder,
    image_table,
    pairs,
    plain_text,
    prompts,
    question_answering,
    text_column,
    text_labels,
    text_table,
    token_columns,
    token_table,
)
from tlcore.data.readers.contract import Reader
from tlcore.modalities.contract import RawRow, RawText

READERS: tuple[Reader, ...] = (
    hub.READER,
    image_table.READER,
    image_folder.READER,
    text_table.READER,
    text_labels.READER,
    token_table.READER,
    token_columns.READER,
    chats.READER,
    prompts.READER,
    text_column.READER,
    plain_text.READER,
    pairs.READER,
    question_answering.READER,
)
by_id(READERS)  # a duplicate id fails here, at import

__all__ = ["READERS", "RawRow", "RawText", "Reader"]
