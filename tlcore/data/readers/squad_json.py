"""SQuAD JSON: articles with paragraphs, each a context with questions. The content is not validated yet.

Sources: Rajpurkar et al. 2016 and 2018, arXiv 1606.05250 and 1806.03822.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads import memory
from tlcore.core.uploads.file_tree import Entry, suffix
from tlcore.data.tables.text_files import opener

LARGEST = 300_000_000  # characters


def articles(entry: Entry, name: str) -> list[Any] | None:
    """The articles of a file; None where it is a table of questions. Raises UnusableInput where it is neither."""
    if suffix(name) != ".json":
        return None
    with memory.named(name):
        return _articles(entry, name)


def _articles(entry: Entry, name: str) -> list[Any] | None:
    with opener(entry, LARGEST)() as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise UnusableInput(
            sentence("The file is larger than {limit} MB.", limit=LARGEST // 1_000_000), code="table", file=name
        )
    if not text.strip():
        raise UnusableInput(sentence("The table {file} is empty.", file=name), code="table", file=name)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] == "{" and _is_object(text.lstrip().splitlines()[0]):
            return None  # JSON lines in a file named .json
        raise UnusableInput(
            sentence("The file {file} is damaged: it is no JSON that can be read.", file=name),
            code="table",
            file=name,
            row=getattr(error, "lineno", None),
        ) from None
    found = content.get("data") if isinstance(content, dict) else content
    if isinstance(found, list):
        if any(isinstance(one, dict) and "paragraphs" in one for one in found):
            return found
        if found is content and any(isinstance(one, dict) for one in found):
            return None
    elif isinstance(content, dict) and "paragraphs" in content:
        return [content]
    raise UnusableInput(
        sentence(
            "{file} is neither SQuAD's JSON ({shape}) nor a list of records with context, question and answer.",
            file=name,
            shape='{"data": [{"title": …, "paragraphs": [{"context": …, "qas": […]}]}]}',
        ),
        code="json-structure",
        file=name,
    )


def questions(found: list[Any]) -> Iterator[tuple[Any, Any, dict[str, Any]] | Sentence]:
    """Yield (title, context, question) per question, or what is wrong with an article, paragraph or question."""
    for n, article in enumerate(found, start=1):
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            yield sentence("Article {n} has no list of paragraphs.", n=n)
            continue
        for m, paragraph in enumerate(paragraphs, start=1):
            asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(asked, list):
                yield sentence("Paragraph {m} of article {n} has no list of questions.", m=m, n=n)
                continue
            for one in asked:
                if isinstance(one, dict):
                    yield article.get("title"), paragraph.get("context"), one
                else:
                    yield sentence("A question in paragraph {m} of article {n} is not an object.", m=m, n=n)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
