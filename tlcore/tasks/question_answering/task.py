"""Extractive question answering: the answer to a question is a span of its context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.models.layer_groups import LayerGroup
from tlcore.runtime import answer_spans
from tlcore.tasks.question_answering import answer_scores
from tlcore.tasks.shared import source_families, text_lengths

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.question_answering.examples import QuestionExamples

LOOKED_AT = 1_000  # training questions sampled to choose the window size
MOST_TOKENS = {"cpu": 256, "cuda": 384}  # default limits of a window, by device
LEAST_TOKENS = 24
QUESTION_TOKENS, ANSWER_TOKENS = 64, 30  # limits, as for BERT on SQuAD
OUTPUT = np.dtype(
    [
        ("start", "i4"),
        ("end", "i4"),
        ("none", "?"),
        ("confidence", "f4"),
        ("best", "f4"),
        ("null", "f4"),
    ]
)


class QuestionAnswering:
    """A span of the context as answer, or none; the network is a text encoder with two logits for each token."""

    id = "question-answering"
    title = sentence("Question answering")
    what = sentence(
        "Find the answer to a question in a text, or tell that it is not in there: manuals, contracts, records."
    )
    icon = ":material/quiz:"
    modality = "text"
    bundle = "question-answering"
    source_families = ("text",)
    native_families = ()
    formats = ("question-answering",)
    roles = (
        ("context", sentence("Column of the context")),
        ("question", sentence("Column of the question")),
        ("answer", sentence("Column of the answer")),
    )
    labelled = has_convex_head = False
    corrects = None
    has_new_head = True
    against = "best"
    evaluation_subset = 2_000
    metrics = (
        Metric("f1", sentence("F1")),
        Metric("exact-match", sentence("exact match")),
    )
    default_source = "bundled/minilm-l6"
    options = ("max_length",)
    rate = 0.5  # twice that of text classification: no head is fitted on features first (docs/benchmarks.md)

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.data.checks.questions import check

        return check(rows)

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        """A context (or its article) stays in one split; stratified by answerability."""
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows.assign(label=rows["answerable"]), split))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested

        return nested(rows.assign(label=rows["answerable"]), seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """Whether training data have unanswerable questions; without them the model always answers."""
        return {"unanswerable": bool((dataset.split("train")["answerable"] == "no").any())}

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        reads = source.modality or self.source_families[0]
        return {"modality": reads, "input_size": source.input_size or 512, "pad": 0, "folder": None}

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How questions and contexts become windows of tokens.

        * ``size``: most tokens of a window, question and context together
        * ``overlap``: context tokens shared by two windows
        * ``question`` and ``answer``: most tokens of each
        * ``mean``: mean tokens of all windows of a question
        * ``several``: share of the questions with more than one window
        * ``pad``: the padding token

        Raises UnusableInput where ``max_length`` is out of range.
        """
        source_families.fits(preprocess, self)
        own = int(preprocess["input_size"])
        lengths = _lengths(dataset, preprocess)
        size = options.max_length
        if size == "auto":
            most = min(own, MOST_TOKENS["cpu" if device == "cpu" else "cuda"])
            size = min(most, text_lengths.covering(lengths, LEAST_TOKENS))
        elif not LEAST_TOKENS <= size <= own:
            raise UnusableInput(
                sentence(
                    "A window of question and context has {least} to {own} tokens with this source model; max_length "
                    "is {asked}.",
                    least=LEAST_TOKENS,
                    own=own,
                    asked=size,
                ),
                code="source-size",
            )
        size = int(size)
        overlap, question = size // 3, min(QUESTION_TOKENS, size // 4)
        count = np.maximum(1, 1 + np.ceil((lengths - size) / (size - question - overlap)))
        return {
            "size": size,
            "overlap": overlap,
            "question": question,
            "answer": ANSWER_TOKENS,
            "pad": int(preprocess["pad"]),
            "mean": int(np.ceil(np.minimum(lengths, count * size).mean())),
            "several": round(float((lengths > size).mean()), 4),
        }

    def side(self, processor: dict[str, Any]) -> int:
        return text_lengths.side(processor["mean"])

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"max_length": processor["size"]}

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        return sentence("Questions with their contexts in windows of at most {n} tokens", n=processor["size"])

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        found = []
        if processor["several"]:
            found.append(
                sentence(
                    "Contexts are read whole: where question and context have more than {n} tokens (parts of words), "
                    "in windows that overlap by {overlap}; {percent} % of the questions need several.",
                    n=processor["size"],
                    overlap=processor["overlap"],
                    percent=round(100 * processor["several"], 1),
                )
            )
        return [
            *found,
            sentence(
                "An answer has at most {n} tokens, and a question is cut after {m}.",
                n=processor["answer"],
                m=processor["question"],
            ),
        ]

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None = None, seed: int = 0
    ) -> torch.nn.Module:
        """The network, with the source's own question-answering head where it has one and ``pretrained``."""
        from tlcore.models.adapters import transformers_spans

        model = transformers_spans.build(source, pretrained, size or source.preprocess["input_size"], seed)
        model.no_answer = 0.0 if target["unanswerable"] else None
        return model

    def load(self, folder: Path, source: SourceModel, size: int | None = None) -> torch.nn.Module:
        from tlcore.models.adapters import transformers_spans
        from tlcore.models.loading import open_folder

        opened = open_folder(folder, source)
        return transformers_spans.build(opened, True, size or opened.preprocess["input_size"], 0)

    def fit_threshold(self, model: Any, validation: QuestionExamples, outputs: Callable[[], np.ndarray]) -> None:
        """Fit the no-answer threshold (lead over the best answer) by F1 on validation data."""
        if model.no_answer is not None:
            model.no_answer = threshold(outputs(), validation)

    def parts(self, model: torch.nn.Module) -> list[LayerGroup]:
        return model.parts()

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, QuestionExamples]:
        from tlcore.tasks.question_answering.examples import QuestionExamples, Windows

        held = Windows(
            dataset, source.folder if source else None, processor, cache.with_name("tokens") if cache else None
        )
        return {split: QuestionExamples(dataset, split, held) for split in ("train", "validation", "test")}

    def features(self, model: torch.nn.Module, batch: Mapping[str, Any]) -> None:
        """None: the head reads every token, and the tokens of a dataset are too many to cache."""
        return None

    def source_model(
        self, source: OpenSource, target: dict[str, Any], *, size: int | None = None
    ) -> tuple[torch.nn.Module, bool]:
        from tlcore.models.adapters import transformers_spans

        return self.model(source, target, True, size=size), transformers_spans.has_head(source)

    def out_of_distribution(self, processor: dict[str, Any], device: str) -> None:
        return None

    def classes(self, examples: Any) -> None:
        return None

    def loss(self, model: torch.nn.Module, batch: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean of the cross-entropies of first and last token, and logits (w, tokens, 2).

        Candidates are the context's tokens and token 0, which means no answer.
        """
        from torch.nn import functional

        logits = model(batch["ids"], batch["mask"], batch["kinds"]).float()
        allowed = batch["inside"].clone()
        allowed[:, 0] = True
        masked = logits.masked_fill(~allowed[..., None], -1e4)
        first, last = (functional.cross_entropy(masked[..., i], batch["answer"][:, i]) for i in (0, 1))
        return (first + last) / 2, logits

    def outputs(self, model: Any, batch: Mapping[str, Any], given: torch.Tensor) -> np.ndarray:
        """The best answer of each question over its windows, (k,) of `OUTPUT`; start and end in characters."""
        logits = given.float().cpu().numpy()
        owner = batch["owner"]
        out = np.zeros(owner[-1] + 1, OUTPUT)
        for at in range(len(out)):
            mine = np.flatnonzero(owner == at)
            places = [batch["places"][i] for i in mine]
            scores = [logits[i, : len(one)] for i, one in zip(mine, places, strict=True)]
            out[at] = answer_spans.best_answer(scores, places, ANSWER_TOKENS, model.no_answer)
        return out

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        return target

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """F1 and exact match of each question; a context, or its article, is one resampling unit."""
        return answer_scores.records(words(outputs, examples), examples)

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]]:
        rows = dataset.split("test")
        return [
            {
                "id": one,
                "text": f"{question} — {context}",
                "truth": answer,
                "prediction": predicted,
                "score": float(score),
            }
            for one, question, context, answer, predicted, score in zip(
                records.ids,
                rows["question"],
                rows["text"],
                rows["answer"],
                records.columns["said"],
                records.columns["f1"],
                strict=True,
            )
        ]

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> None:
        return None

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        return {}

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        return answer_scores.aggregate(records, weights)

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, QuestionExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """The most common answer, words of the most similar sentence, and the source model as it is."""
        from tlcore.tasks.question_answering.baselines import fit_baselines

        return fit_baselines(self, examples, target, source)

    def illustrate(
        self,
        folder: Path,
        worst: list[dict[str, Any]],
        dataset: Dataset,
        source: SourceModel,
        weights: Path,
        processor: dict[str, Any],
        labels: list[str],
    ) -> None:
        """Questions have no image; the report shows their words."""
        for error in worst:
            error["picture"] = error["gradcam"] = None


def words(outputs: np.ndarray, examples: Any) -> list[str]:
    """The predicted answer of each output, as text."""
    return [
        answer_spans.said(context, int(one["start"]), int(one["end"]), bool(one["none"]))[0]
        for context, one in zip(examples.contexts, outputs, strict=True)
    ]


def threshold(outputs: np.ndarray, examples: Any) -> float:
    """The lead that no answer needs over the best answer, for the best mean F1; ties: closest to 0.

    0 where all questions have an answer, or none has, since there is nothing to fit.
    """
    answerable = np.array([bool(truths) for truths in examples.truths])
    if answerable.all() or not answerable.any():
        return 0.0
    given = outputs.copy()
    given["none"] = False
    scores = answer_scores.records(words(given, examples), examples).columns["f1"]
    lead = outputs["null"].astype(float) - outputs["best"].astype(float)
    order = np.argsort(lead)
    ends = lead[order]
    # Total with the first i answered: their F1, plus 1 for each unanswered question that has no answer.
    total = np.concatenate([[0.0], np.cumsum(scores[order])])
    total += np.concatenate([np.cumsum((~answerable[order])[::-1])[::-1], [0]])
    between = np.concatenate([[ends[0] - 1], (ends[:-1] + ends[1:]) / 2, [ends[-1] + 1]])
    total[1:-1][ends[:-1] == ends[1:]] = -1.0  # no threshold separates ties
    best = np.flatnonzero(total >= total.max() - 1e-9)
    return float(between[best[np.argmin(np.abs(between[best]))]])


def _lengths(dataset: Dataset, preprocess: Mapping[str, Any]) -> np.ndarray:
    """Tokens of question plus context of (sampled) training questions; estimated where there is no tokenizer."""
    from tlcore.models import tokenization
    from tlcore.tasks.shared.text_examples import encode

    rows = text_lengths.some(dataset.split("train"), LOOKED_AT)
    if preprocess.get("folder") is None:
        return text_lengths.guessed(rows["question"] + " " + rows["text"], marks=3)
    read = tokenization.read(Path(preprocess["folder"]))
    question, context = (np.diff(encode(read, rows[column], 1_000_000)[1]) for column in ("question", "text"))
    return question + context
