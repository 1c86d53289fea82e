"""Reader of chats: JSON lines, each with a list of messages that have a role and a content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers.columns import chosen, short
from tlcore.data.readers.text_column import whose
from tlcore.data.readers.text_table import MAX_CELL, NAMES, by_split, each_by, every_row, of_kind, tidy_text
from tlcore.data.tables.rows import open_table
from tlcore.modalities.contract import RawText

COLUMNS = {
    "messages": ("messages", "conversations", "conversation", "chat", "dialog", "dialogue", "mensagens", "turns"),
    "split": NAMES["split"],
    "group": NAMES["group"],
}
TITLES = {"messages": sentence("messages")}
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "usuário": "user",
    "usuario": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "assistente": "assistant",
}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
MOST = 500  # messages per chat


class Chats:
    id = "chat"
    title = sentence("Chats")
    what = sentence(
        'JSON lines such as {{"messages": [{{"role": "user", "content": "…"}}, {{"role": "assistant", "content": "…"}}'
        "]}}. The model is trained on the turns of the assistant alone."
    )
    suffixes = SUFFIXES
    example = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        if columns:
            return False
        try:
            name = next(iter(by_split(tree, SUFFIXES)), None)
            if name is None or len(of_kind(tree, SUFFIXES)) < len(tree.tables):
                return False
            return bool(chosen(open_table(tree.entries[name], name, least=1), {}, None, COLUMNS, TITLES))
        except UnusableInput:
            return False

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return every_row(tree, SUFFIXES, {}, group, each_by(COLUMNS, TITLES, _row), least=1)


def _row(
    table: str, cells: dict[str, Any], number: int, mapped: Mapping[str, str], split: str | None
) -> RawText | Sentence:
    turns = messages(cells.get(mapped["messages"]))
    if isinstance(turns, Sentence):
        return turns
    found = whose(cells, mapped, split)
    if isinstance(found, Sentence):
        return found
    text = "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    return RawText(f"{table}:{number}", text, "", *found, number, {"turns": json.dumps(turns, ensure_ascii=False)})


def messages(given: Any) -> list[dict[str, str]] | Sentence:
    """The messages of a chat as {role, content}, or the reason the chat is unusable."""
    if not isinstance(given, list) or not given:
        return sentence("It has no list of messages.")
    if len(given) > MOST:
        return sentence("It has more than {limit} messages.", limit=MOST)
    turns: list[dict[str, str]] = []
    for place, message in enumerate(given, start=1):
        if not isinstance(message, dict):
            return sentence("Its message {place} is not a record of role and content.", place=place)
        named = str(message.get("role", message.get("from", "")) or "").strip()
        role = ROLES.get(named.lower())
        if role is None:
            return sentence(
                "Its message {place} is of the role {role}; known are system, user and assistant.",
                place=place,
                role=short(named) or "–",
            )
        content = _content(message.get("content", message.get("value")))
        if content is None:
            return sentence("Its message {place} has a content that is not text.", place=place)
        if not content:
            return sentence("Its message {place} has no content.", place=place)
        turns.append({"role": role, "content": content})
    if all(turn["role"] != "assistant" for turn in turns):
        return sentence("It has no message of the assistant, so there is nothing to learn from it.")
    if sum(len(turn["content"]) for turn in turns) > MAX_CELL:
        return sentence("Its messages together are longer than {limit} characters.", limit=MAX_CELL)
    return turns


def _content(given: Any) -> str | None:
    """A message's text; for a list of parts, their texts joined. None for anything else."""
    if isinstance(given, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in given]
        return "\n".join(tidy_text(part) for part in parts) if all(isinstance(part, str) for part in parts) else None
    return tidy_text(given) if given is None or isinstance(given, str) else None


READER = Chats()
