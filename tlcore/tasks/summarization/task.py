"""Summarization: from a long text to a short one."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import sentence
from tlcore.data.checks import pairs
from tlcore.evaluation.records import Metric
from tlcore.tasks.shared import pair_baselines, pair_scores
from tlcore.tasks.shared.text_to_text import Sequences


class Summarization:
    """Summarization, with ROUGE-L as headline metric; the rest is in `Sequences`."""

    id = "summarization"
    title = sentence("Summarization")
    what = sentence("Write the short form of a text: summaries of reports, headlines, subjects of messages.")
    icon = ":material/short_text:"
    modality = "text"
    bundle = "seq2seq"
    source_families = ("seq2seq", "text")
    native_families = ("seq2seq",)
    formats = ("pairs",)
    roles = (("source", sentence("Column of the text")), ("target", sentence("Column of the summary")))
    labelled = has_convex_head = False
    corrects = None
    has_new_head = True  # a decoder where the source has none; else its own is fine-tuned
    against = "best"
    evaluation_subset = 64
    metrics = (
        Metric("rouge-l", sentence("ROUGE-L")),
        Metric("rouge-1", sentence("ROUGE-1")),
        Metric("rouge-2", sentence("ROUGE-2")),
    )
    default_source = "bundled/minilm-l6"
    options = ("max_length",)
    rate = 0.5  # as for translation

    def __init__(self) -> None:
        self._shared = Sequences(
            task=self,
            duty=self.id,
            scoring=pair_scores.SUMMARY,
            longest={"cpu": 256, "cuda": 512},
            most={"cpu": 64, "cuda": 128},
            baseline_answers=pair_baselines.leading,
            checks=pairs.summarization,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_shared"), name)
