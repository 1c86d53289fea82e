"""Translation: from a text in one language to the same text in another."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import sentence
from tlcore.data.checks import pairs
from tlcore.evaluation.records import Metric
from tlcore.tasks.shared import pair_baselines, pair_scores
from tlcore.tasks.shared.text_to_text import Sequences


class Translation:
    """Translation, with chrF as headline metric because it suits every language; the rest is in `Sequences`."""

    id = "translation"
    title = sentence("Translation")
    what = sentence("Turn texts of one language into another, from pairs that somebody has translated.")
    icon = ":material/translate:"
    modality = "text"
    bundle = "seq2seq"
    source_families = ("seq2seq", "text")
    native_families = ("seq2seq",)
    formats = ("pairs",)
    roles = (("source", sentence("Column of the source text")), ("target", sentence("Column of the target text")))
    labelled = has_convex_head = False
    corrects = None
    has_new_head = True  # a decoder where the source has none; else its own is fine-tuned
    against = "best"
    evaluation_subset = 128
    metrics = (Metric("chrf", sentence("chrF")), Metric("bleu", sentence("BLEU")))
    default_source = "bundled/minilm-l6"
    options = ("max_length", "source_language", "target_language")
    rate = 0.5  # a new decoder learns at 5e-5 to 8e-4, a pretrained one at the lower end

    def __init__(self) -> None:
        self._shared = Sequences(
            task=self,
            duty=self.id,
            scoring=pair_scores.TRANSLATION,
            longest={"cpu": 128, "cuda": 256},
            most={"cpu": 128, "cuda": 256},
            baseline_answers=pair_baselines.copying,
            checks=pairs.translation,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_shared"), name)
