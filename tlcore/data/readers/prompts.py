"""Reader of tables of prompts and completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers.columns import SHEET, chosen
from tlcore.data.readers.text_column import whose
from tlcore.data.readers.text_table import MAX_CELL, NAMES, READ, by_split, each_by, every_row, of_kind, tidy_text
from tlcore.data.tables.rows import open_table
from tlcore.modalities.contract import RawText

# Common names of each column, best first; ``input`` is the material of an instruction.
COLUMNS = {
    "text": (
        "prompt",
        "instruction",
        "instrução",
        "instrucao",
        "query",
        "question",
        "pergunta",
        "input",
        "entrada",
        "source",
    ),
    "completion": (
        "completion",
        "response",
        "resposta",
        "output",
        "saída",
        "saida",
        "answer",
        "continuation",
        "continuação",
        "continuacao",
        "reply",
        "chosen",
    ),
    "input": ("input", "entrada", "context", "contexto"),
    "split": NAMES["split"],
    "group": NAMES["group"],
}
TITLES = {"text": sentence("prompt"), "completion": sentence("completion")}


class Prompts:
    id = "prompt-completion"
    title = sentence("Prompts and completions")
    what = sentence(
        'JSON lines such as {{"prompt": "…", "completion": "…"}}, or a table with these columns (also instruction, '
        "input and output). The model is trained on the completions alone."
    )
    suffixes = READ
    example = '{"prompt": "…", "completion": "…"}'

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        if "completion" in columns:
            return bool(of_kind(tree, READ))
        try:
            name = next(iter(by_split(tree, READ)), None)
            return name is not None and bool(
                chosen(open_table(tree.entries[name], name, columns.get(SHEET)), columns, None, COLUMNS, TITLES)
            )
        except UnusableInput:
            return False

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawText | RejectedRow | Finding]:
        return every_row(tree, READ, columns, group, each_by(COLUMNS, TITLES, _row))


def _row(
    table: str, cells: dict[str, Any], number: int, mapped: Mapping[str, str], split: str | None
) -> RawText | Sentence:
    given = [cells.get(mapped[role]) for role in ("text", "input", "completion") if role in mapped]
    if any(isinstance(value, dict | list | tuple | bytes) for value in given):
        return sentence("Its prompt or its completion is not text but a list or a record.")
    *asked, completion = (tidy_text(value) for value in given)
    prompt = "\n".join(part for part in asked if part)
    if not prompt:
        return sentence("It has no prompt.")
    if not completion:
        return sentence("It has no completion, so there is nothing to learn from it.")
    if len(prompt) + len(completion) > MAX_CELL:
        return sentence("Prompt and completion together are longer than {limit} characters.", limit=MAX_CELL)
    found = whose(cells, mapped, split)
    if isinstance(found, Sentence):
        return found
    return RawText(
        f"{table}:{number}", prompt, "", *found, number, {"completion": completion}, same=f"{prompt}\n{completion}"
    )


READER = Prompts()
