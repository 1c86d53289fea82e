"""Shared implementation of text-to-text tasks: translation, summarization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Records
from tlcore.models.layer_groups import LayerGroup
from tlcore.tasks.shared import source_families, text_lengths
from tlcore.tasks.shared.pair_scores import Scoring

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.adapters.seq2seq_model import Seq2SeqModel
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.contract import Task
    from tlcore.tasks.shared.pair_examples import PairExamples

LOOKED_AT = 2_000  # training pairs sampled to choose the lengths
LEARNED_FROM = 100_000  # training targets from which a vocabulary is learned
SMOOTHING = 0.1  # label smoothing of the training loss: Szegedy et al. 2016, arXiv 1512.00567
BEAMS = {"cpu": 1, "cuda": 4}  # beam width on the test set, by device


@dataclass(frozen=True)
class Sequences:
    """Implementation of the methods of a `Task`.

    ``duty`` is the task's name in multi-task source models; ``longest`` and ``most`` are the most tokens read and
    generated, by device; ``naive_answers`` gives the task's own baselines: (id, title, texts of the test set).
    """

    task: Task
    duty: str
    scoring: Scoring
    longest: Mapping[str, int]
    most: Mapping[str, int]
    baseline_answers: Callable[[Mapping[str, PairExamples]], list[tuple[str, Sentence, list[str]]]]
    checks: Callable[[pd.DataFrame], list[Finding]]

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        return self.checks(rows)

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows, split))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested

        return nested(rows, seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """``vocabulary``: the tokenizer of a new decoder, learned from the training targets.

        A source model that has a decoder keeps its own.
        """
        from tlcore.models.pair_tokenization import vocabulary

        return {"vocabulary": vocabulary(text_lengths.some(dataset.split("train")["target"], LEARNED_FROM))}

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        reads = source.modality or self.task.source_families[0]
        return {"modality": reads, "input_size": source.input_size or 512, "pad": 0, "folder": None}

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How text pairs become tokens. ``auto`` takes the 95th percentile of the lengths.

        * ``size`` and ``target``: most tokens read and generated
        * ``mean``: mean tokens of both sides together
        * ``cut`` and ``cut_target``: shares of the training texts that are longer
        * ``pad``: the source's padding token
        * ``prefix``: text prepended to each source
        * ``languages``: source and target language
        * ``beams``: beam width on the test set

        Raises UnusableInput where ``max_length`` exceeds the source model's input size.
        """
        source_families.fits(preprocess, self.task)
        kind = "cpu" if device == "cpu" else "cuda"
        own = int(preprocess["input_size"])
        languages = [None if code == "auto" else code for code in (options.source_language, options.target_language)]
        prefix, sources, targets = self._lengths(dataset, preprocess, languages)
        size = options.max_length
        if size == "auto":
            size = min(own, self.longest[kind], text_lengths.covering(sources))
        elif size > own:
            raise UnusableInput(
                sentence(
                    "This source model reads at most {own} tokens of a text; max_length is {asked}.",
                    own=own,
                    asked=size,
                ),
                code="source-size",
            )
        target = min(self.most[kind], text_lengths.covering(targets))
        mean = np.minimum(sources, size).mean() + np.minimum(targets, target).mean()
        return {
            "size": int(size),
            "target": int(target),
            "mean": int(np.ceil(mean)),
            "pad": int(preprocess["pad"]),
            "cut": round(float((sources > size).mean()), 4),
            "cut_target": round(float((targets > target).mean()), 4),
            "prefix": prefix,
            "languages": languages,
            "beams": BEAMS[kind],
        }

    def _lengths(
        self, dataset: Dataset, preprocess: Mapping[str, Any], languages: list[str | None]
    ) -> tuple[str, np.ndarray, np.ndarray]:
        """The prefix, and token counts of sampled training texts on both sides; estimated without a tokenizer."""
        from tlcore.models import pair_tokenization, tokenization, weight_files
        from tlcore.tasks.shared.text_examples import encode

        train = dataset.split("train")
        sides = [text_lengths.some(train[side], LOOKED_AT) for side in ("text", "target")]
        if preprocess.get("folder") is None:
            return "", *map(text_lengths.guessed, sides)
        folder, written = Path(preprocess["folder"]), None
        if preprocess["modality"] == "text":
            prefix, pair = "", (tokenization.read(folder), self.fit_target(dataset)["vocabulary"])
        else:
            config = weight_files.read_config(folder)
            both = (languages[0], languages[1])
            prefix, pair = (
                pair_tokenization.prefix(config, self.duty, both),
                pair_tokenization.read(folder, config, both),
            )
        read, written = (np.diff(encode(one, side, 8_192)[1]) for one, side in zip(pair, sides, strict=True))
        return prefix, read + 2 * len(prefix.split()), written

    def side(self, processor: dict[str, Any]) -> int:
        return text_lengths.side(processor["mean"])

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"max_length": processor["size"], "languages": processor["languages"]}

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        return sentence(
            "Texts of at most {n} tokens, answered by at most {m}", n=processor["size"], m=processor["target"]
        )

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        how = sentence("The test set is written by the likeliest token each time (greedy).")
        if processor["beams"] > 1:
            how = sentence(
                "The test set is written by beam search with {n} beams; validation data greedily.", n=processor["beams"]
            )
        found = [how]
        if processor["cut"]:
            found.append(
                sentence(
                    "Texts are cut after {n} tokens (parts of words); about {percent} % of them are longer.",
                    n=processor["size"],
                    percent=round(100 * processor["cut"], 1),
                )
            )
        if processor["cut_target"]:
            found.append(
                sentence(
                    "Answers end after {n} tokens at the latest; about {percent} % of the training answers are longer.",
                    n=processor["target"],
                    percent=round(100 * processor["cut_target"], 1),
                )
            )
        if processor["prefix"]:
            found.append(
                sentence(
                    "Each text is read with this before it, as the source model learned it: {prefix}",
                    prefix=processor["prefix"].strip(),
                )
            )
        return found

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None = None, seed: int = 0
    ) -> Seq2SeqModel:
        """A source model that generates text, unchanged; else a text encoder with a new decoder for ``target``."""
        from tlcore.models.adapters import transformers_seq2seq

        length = size or int(source.preprocess["input_size"])
        if source.modality == "seq2seq":
            return transformers_seq2seq.build(source, None, pretrained, length, seed)
        return transformers_seq2seq.on_encoder(source, target["vocabulary"], pretrained, length, seed)

    def load(self, folder: Path, source: SourceModel, size: int | None = None) -> Seq2SeqModel:
        from tlcore.models.loading import load

        return load(folder, source, size)

    def parts(self, model: Seq2SeqModel) -> list[LayerGroup]:
        return model.parts()

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, PairExamples]:
        from tlcore.models import pair_tokenization, tokenization
        from tlcore.tasks.shared.pair_examples import PairExamples, PairTokens

        pair = None
        if source is not None and source.modality == "seq2seq":
            pair = pair_tokenization.read(source.folder, source.config, tuple(processor["languages"]))
        elif source is not None:
            pair = tokenization.read(source.folder), target["vocabulary"]
        held = PairTokens(dataset, pair, processor, cache.with_name("tokens") if cache else None)
        return {split: PairExamples(dataset, split, processor, held) for split in ("train", "validation", "test")}

    def features(self, model: Seq2SeqModel, batch: Mapping[str, Any]) -> None:
        return None

    def source_model(
        self, source: OpenSource, target: dict[str, Any], *, size: int | None = None
    ) -> tuple[Seq2SeqModel, bool]:
        return self.model(source, target, True, size=size), False

    def out_of_distribution(self, processor: dict[str, Any], device: str) -> None:
        return None

    def classes(self, examples: PairExamples) -> None:
        return None

    def loss(self, model: Seq2SeqModel, batch: Mapping[str, Any]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Cross-entropy per target token with teacher forcing; label smoothing during training only.

        In evaluation also the summed loss (k,) and the number of tokens (k,) of each text.
        """
        from torch.nn import functional

        labels = batch["labels"]
        logits = model(batch["ids"], batch["mask"], labels).float()
        flat = logits.flatten(0, 1), labels.flatten()
        if model.training:
            return functional.cross_entropy(*flat, label_smoothing=SMOOTHING), ()
        each = functional.cross_entropy(*flat, reduction="none").view(labels.shape).sum(dim=1)
        count = (labels >= 0).sum(dim=1)
        return each.sum() / count.sum(), (each, count)

    def outputs(self, model: Seq2SeqModel, batch: Mapping[str, Any], given: tuple[torch.Tensor, ...]) -> np.ndarray:
        """``loss`` (sum over the reference's tokens), ``tokens`` (their number) and ``ids`` (generated tokens)."""
        loss, count = given
        ids = model.write(batch["ids"], batch["mask"], batch["most"], batch["beams"], batch["first"])
        out = np.empty(len(ids), [("loss", "f4"), ("tokens", "i4"), ("ids", "i4", (batch["most"],))])
        out["loss"], out["tokens"], out["ids"] = (one.cpu().numpy() for one in (loss.float(), count, ids))
        return out

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        return None

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        return target

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Counts of each generated text against its reference; a group (a document) is one resampling unit."""
        return self.judge(examples.read(outputs["ids"]), examples)

    def judge(self, written: list[str], examples: Any) -> Records:
        counts = self.scoring.counts(written, examples.references)
        columns = {"counts": counts, "prediction": np.array(written, dtype=object)}
        return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]]:
        """Source, reference, generated text, and the headline metric of that text alone."""
        rows = dataset.split("test")
        scores = self.scoring.metrics(records.columns["counts"])[self.task.metrics[0].id]
        return [
            {"id": name, "text": text, "truth": truth, "prediction": written, "score": float(score)}
            for name, text, truth, written, score in zip(
                records.ids, rows["text"], rows["target"], records.columns["prediction"], scores, strict=True
            )
        ]

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        return {}

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each corpus-level metric for each row of weights (draws, n)."""
        return self.scoring.metrics(np.atleast_2d(weights).astype(np.float64) @ records.columns["counts"])

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, PairExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """The task's own baselines, the target of the most similar training source, and the source model as it is."""
        from tlcore.tasks.shared import pair_baselines

        test = examples["test"]
        nearest = ("nearest", pair_baselines.NEAREST, pair_baselines.nearest(examples))
        answers = [*self.baseline_answers(examples), nearest]
        found = [Baseline(name, title, self.judge(texts, test)) for name, title, texts in answers]
        return [*found, pair_baselines.as_it_is(self.task, source, test, target)]

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> None:
        return None

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
        """Texts have no image; the report shows their words."""
        for error in worst:
            error["picture"] = error["gradcam"] = None
