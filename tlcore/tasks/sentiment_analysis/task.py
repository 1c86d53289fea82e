"""Sentiment analysis: text classification with labels ordered by polarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import sentence
from tlcore.tasks.text_classification.task import TextClassification

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.core.findings import Finding
    from tlcore.data.dataset import Dataset

# From worst to best; each polarity with its usual words in English and Portuguese.
POLARITY = (
    ("very negative", "muito negativo", "muito negativa", "terrible", "péssimo", "pessimo"),
    ("negative", "negativo", "negativa", "neg", "bad", "ruim", "unhappy", "-", "-1"),
    ("neutral", "neutro", "neutra", "neu", "mixed", "misto", "0"),
    ("positive", "positivo", "positiva", "pos", "good", "bom", "happy", "+", "1"),
    ("very positive", "muito positivo", "muito positiva", "excellent", "ótimo", "otimo"),
)
RANK = {word: place for place, words in enumerate(POLARITY) for word in words}


class SentimentAnalysis:
    """`TextClassification` with labels ordered by polarity; everything not defined here is delegated to it."""

    id = "sentiment-analysis"
    title = sentence("Sentiment analysis")
    what = sentence("Tell whether a text speaks well or badly of something: reviews, comments, surveys, tickets.")
    icon = ":material/sentiment_satisfied:"

    def __init__(self) -> None:
        self._text = TextClassification()

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_text"), name)

    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.core.findings import Finding

        found = self._text.check(rows)
        if rows.empty:
            return found
        labels = ordered(rows["label"].unique().tolist())
        if labels is None:
            names = sorted(map(str, rows["label"].unique()))
            shown = [*names[:10], "…"] if len(names) > 10 else names
            message = sentence(
                "The labels {labels} are no polarities that the studio knows (such as negative, neutral, positive, or "
                "stars 1 to 5); they are taken as plain classes.",
                labels=shown,
            )
            return [*found, Finding(level="note", code="polarity-unknown", sentence=message, examples=names[:10])]
        message = sentence("Polarity from worst to best: {labels}.", labels=labels)
        return [*found, Finding(level="note", code="polarity", sentence=message)]

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The training labels from worst to best; in alphabetical order where they are no polarities."""
        target = self._text.fit_target(dataset)
        return {"labels": ordered(target["labels"]) or target["labels"]}


def ordered(labels: list[str]) -> list[str] | None:
    """Labels from worst to best where all are polarity words or all are numbers; else None."""
    plain = {label: label.casefold().replace("_", " ").strip() for label in labels}
    try:
        return sorted(labels, key=lambda label: float(plain[label].replace(",", ".").removesuffix(" stars")))
    except ValueError:
        pass
    if all(plain[label] in RANK for label in labels):
        return sorted(labels, key=lambda label: (RANK[plain[label]], label))
    return None
