"""Checks of staged questions and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlcore.core.findings import Finding
from tlcore.core.i18n import sentence

if TYPE_CHECKING:
    import pandas as pd

FEW = 50  # questions
LONG_ANSWER = 25  # words: about 30 tokens, the longest answer a model gives


def check(rows: pd.DataFrame) -> list[Finding]:
    """Findings on question-answer rows (columns ``question``, ``text``, ``answer``, ``answerable``)."""
    if rows.empty:
        return []
    none = rows[rows["answerable"] == "no"]["id"]
    contexts = int(rows["text"].nunique())
    found = [
        Finding(
            level="note",
            code="questions",
            count=len(rows),
            sentence=sentence(
                "Questions: {n}, on {m} contexts. A context stays within one split, with all of its questions.",
                n=len(rows),
                m=contexts,
            ),
        )
    ]
    if len(none) == len(rows):
        found.append(
            Finding(
                level="error",
                code="no-answers",
                count=len(none),
                examples=none.head(10).tolist(),
                sentence=sentence("None of the questions has an answer, so there is nothing to learn."),
                fix=sentence("Check which column holds the answers."),
            )
        )
    elif len(none):
        found.append(
            Finding(
                level="note",
                code="unanswerable",
                count=len(none),
                examples=none.head(10).tolist(),
                sentence=sentence(
                    "Questions that their context does not answer: {n} ({percent} %). They are kept: the model learns "
                    "to say so.",
                    n=len(none),
                    percent=round(100 * len(none) / len(rows), 1),
                ),
            )
        )
    long = rows[rows["answer"].str.split().str.len() > LONG_ANSWER]["id"]
    if len(long):
        found.append(
            Finding(
                level="warning",
                code="long-answers",
                count=len(long),
                examples=long.head(10).tolist(),
                sentence=sentence(
                    "Answers of more than {limit} words: {n}. A model gives shorter ones only, so these will be found "
                    "in part at best.",
                    limit=LONG_ANSWER,
                    n=len(long),
                ),
            )
        )
    if len(rows) < FEW:
        found.append(
            Finding(
                level="warning",
                code="few-questions",
                count=len(rows),
                sentence=sentence(
                    "There are only {n} questions; scores will be uncertain, and a model "
                    "learns to answer from hundreds.",
                    n=len(rows),
                ),
            )
        )
    return found
