"""Text generation: a causal language model is fine-tuned to continue texts like the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.models.layer_groups import LayerGroup
from tlcore.tasks.shared import source_families, text_lengths
from tlcore.tasks.text_generation.examples import OUTPUT

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.text_generation.examples import CausalExamples

LOOKED_AT = 2_000  # training examples sampled to choose the input length
CHARACTERS_A_TOKEN = 3.5  # an estimate, used before the source model is opened
MOST_TOKENS = {"cpu": 256, "cuda": 512}  # default limits, by device
LEAST = 12  # fewest examples to accept
MOULD = 0.2  # with a larger share of examples in one near-duplicate cluster, clusters are split up
MOST_NATS = 50.0  # mean loss is clipped here: a perplexity of 5 · 10²¹


class TextGeneration:
    """Next-token prediction with a causal network of transformers; no new head is added."""

    id = "text-generation"
    title = sentence("Text generation")
    what = sentence("Go on writing as your texts do, or answer prompts as your completions do.")
    icon = ":material/edit_note:"
    modality = "text"
    bundle = "generation"
    source_families = ("causal",)
    native_families = ("causal",)
    formats = ("chat", "prompt-completion", "text-column", "plain-text")
    roles = (
        ("text", sentence("Column of the text, or of the prompt")),
        ("completion", sentence("Column of the completion")),
    )
    labelled = has_convex_head = has_new_head = False
    corrects = None
    against = "best"
    evaluation_subset = None
    metrics = (
        Metric(
            "perplexity",
            sentence("perplexity"),
            higher_is_better=False,
            share=False,
            smallest=0.1,
            least=1.0,
            across=False,
        ),
        Metric(
            "bits-per-character",
            sentence("bits per character"),
            higher_is_better=False,
            share=False,
            smallest=0.02,
            least=0.0,
        ),
        Metric("next-token-accuracy", sentence("accuracy of the next token"), across=False),
    )
    default_source = "bundled/studio-writer"
    options = ("max_length",)
    rate = 1.0

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        """Whether there are enough examples, and which tokens are trained on."""
        from tlcore.core.findings import Finding
        from tlcore.tasks.text_generation.examples import form_of

        if rows.empty:
            return []
        found = [Finding(level="note", code="scored", sentence=SCORED[form_of(rows)])]
        if _of_one_mould(rows):
            found.append(
                Finding(
                    level="note",
                    code="one-mould",
                    sentence=sentence(
                        "Very many examples share most of their words (an instruction that all of them begin "
                        "with, perhaps), so they are dealt out one by one."
                    ),
                )
            )
        if len(rows) < LEAST:
            found.append(
                Finding(
                    level="error",
                    code="too-few",
                    count=len(rows),
                    sentence=sentence(
                        "There are {n} examples (texts, or blocks of one); at least {least} are needed.",
                        n=len(rows),
                        least=LEAST,
                    ),
                    fix=sentence("Add more text."),
                )
            )
        return found

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        """Documents stay in one split; where there are few, each is cut into contiguous pieces instead.

        Near duplicates stay together, unless one cluster holds a large share of the examples.
        """
        from tlcore.data.splits import documents, stratified

        split_rows = rows.assign(near=None) if _of_one_mould(rows) else rows
        return rows.assign(split=stratified(split_rows.assign(group=documents(split_rows)), split))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested

        return nested(rows, seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The form of the examples; there are no labels."""
        from tlcore.tasks.text_generation.examples import form_of

        return {"form": form_of(dataset.rows)}

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        reads = source.modality or self.source_families[0]
        size = source.input_size or 512
        return {"modality": reads, "input_size": size, "pad": 0, "bos": None, "end": None, "folder": None}

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How examples become tokens. ``auto`` takes the 95th percentile of the lengths.

        * ``size``: most tokens of an example
        * ``mean``: mean tokens of an example
        * ``cut``: share of the training examples that are longer
        * ``form`` of the examples
        * ``template`` of chats, own or plain
        * ``before`` and ``after``: text around a user's prompt
        * ``pad``, ``bos`` and ``end``: special tokens
        * ``context``: most tokens that the network reads

        Raises UnusableInput where ``max_length`` exceeds the source model's input size.
        """
        source_families.fits(preprocess, self)
        own, size = int(preprocess["input_size"]), options.max_length
        if size != "auto" and size > own:
            raise UnusableInput(
                sentence(
                    "This source model reads at most {own} tokens of a text; max_length is {asked}.",
                    own=own,
                    asked=size,
                ),
                code="source-size",
            )
        made = _described(preprocess, dataset)
        lengths = _lengths(dataset, preprocess, made)
        if size == "auto":
            size = min(own, MOST_TOKENS["cpu" if device == "cpu" else "cuda"], text_lengths.covering(lengths))
        return {
            **made,
            "size": int(size),
            "mean": int(np.ceil(np.minimum(lengths, size).mean())),
            "cut": round(float((lengths > size).mean()), 4),
        }

    def side(self, processor: dict[str, Any]) -> int:
        return text_lengths.side(processor["mean"])

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"max_length": processor["size"]}

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        return sentence("Texts of at most {n} tokens", n=processor["size"])

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        found = [SCORED[processor["form"]]]
        if processor["template"] == "plain":
            found.append(
                sentence(
                    "The tokenizer has no template for chats that could be used, so they are written plainly: "
                    "User: … and Assistant: …, a line each."
                )
            )
        if processor["cut"]:
            found.append(
                sentence(
                    "Texts are cut after {n} tokens (parts of words); about {percent} % of them are longer.",
                    n=processor["size"],
                    percent=round(100 * processor["cut"], 1),
                )
            )
        return found

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None = None, seed: int = 0
    ) -> torch.nn.Module:
        return source.build(None, pretrained, image_size=size, seed=seed)

    def load(self, folder: Path, source: SourceModel, size: int | None = None) -> torch.nn.Module:
        from tlcore.models.loading import load

        return load(folder, source, size)

    def parts(self, model: torch.nn.Module) -> list[LayerGroup]:
        return model.parts()

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, CausalExamples]:
        from tlcore.tasks.text_generation.examples import CausalExamples, Written

        held = Written(
            dataset, source.folder if source else None, processor, cache.with_name("tokens") if cache else None
        )
        return {split: CausalExamples(dataset, split, processor, held) for split in ("train", "validation", "test")}

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> None:
        return None

    def source_model(
        self, source: OpenSource, target: dict[str, Any], *, size: int | None = None
    ) -> tuple[torch.nn.Module, bool]:
        return source.build(None, True, image_size=size), True

    def out_of_distribution(self, processor: dict[str, Any], device: str) -> None:
        return None

    def classes(self, examples: CausalExamples) -> None:
        return None

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, Any]:
        """The mean loss over the batch's scored tokens in nats.

        Also, for each scored token, its loss, whether the most likely token is correct, and its row in the batch.
        """
        losses, hits, rows = model.weighed(batch["ids"], batch["mask"], batch["labels"])
        return losses.sum() / max(1, len(losses)), (losses.detach(), hits, rows)

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: Any) -> np.ndarray:
        """Sums per example, (k,) of `OUTPUT`: loss in nats, scored tokens, correct tokens, scored characters."""
        losses, hits, rows = (one.double().cpu().numpy() for one in given)
        rows, n = rows.astype(np.int64), len(batch["ids"])
        out = np.zeros(n, OUTPUT)
        out["loss"], out["tokens"] = np.bincount(rows, losses, n), np.bincount(rows, minlength=n)
        out["hits"], out["characters"] = np.bincount(rows, hits, n), batch["characters"].cpu().numpy()
        return out

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        return None

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        return target

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Sums per example: loss, tokens, hits, and characters of its scored tokens."""
        columns = {name: outputs[name].astype(np.float64) for name in OUTPUT.names or ()}
        return Records(ids=examples.ids, unit=np.asarray(examples.units), columns=columns)

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]]:
        """Each test example: its beginning, its true continuation, and as score the geometric mean probability of its
        tokens (the inverse of its perplexity).

        `samples` fills in the model's own continuation for some of them.
        """
        from tlcore.tasks.text_generation.continuations import halves

        loss, tokens = records.columns["loss"], np.maximum(records.columns["tokens"], 1)
        return [
            {"id": name, "text": begin, "truth": rest, "prediction": "", "score": float(np.exp(-nats / n))}
            for name, (begin, rest), nats, n in zip(
                records.ids, halves(dataset.split("test")), loss, tokens, strict=True
            )
        ]

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        return {}

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> list[dict[str, Any]]:
        from tlcore.tasks.text_generation.continuations import samples

        return samples(self, answers, dataset, processor, source, weights)

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Metrics of the weighted sums over examples, so that longer examples count more."""
        weights = np.atleast_2d(weights).astype(np.float64)
        total = {name: weights @ values for name, values in records.columns.items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "perplexity": np.exp(np.minimum(total["loss"] / total["tokens"], MOST_NATS)),
                "bits-per-character": total["loss"] / np.log(2) / total["characters"],
                "next-token-accuracy": total["hits"] / total["tokens"],
            }

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, CausalExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """An n-gram model on the same tokens, and the source model as it is."""
        from tlcore.tasks.text_generation.baselines import fit_baselines

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
        for error in worst:
            error["picture"] = error["gradcam"] = None


SCORED: dict[str, Sentence] = {
    "plain": sentence("The model is trained and scored on every token of the texts."),
    "completion": sentence("The model is trained and scored on the completions alone; prompts are only read."),
    "chat": sentence(
        "The model is trained and scored on what the assistant says alone; the rest of a chat is only read."
    ),
}


def _of_one_mould(rows: pd.DataFrame) -> bool:
    """Whether one near-duplicate cluster is so large that keeping it together leaves too little to split."""
    return "near" in rows and rows["near"].value_counts().max() > MOULD * len(rows)


def _described(preprocess: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
    """The part of the processor that does not depend on the lengths of the examples."""
    from tlcore.models import tokenization as tokens
    from tlcore.tasks.text_generation import chat_template
    from tlcore.tasks.text_generation.examples import form_of, names, plainly

    form = form_of(dataset.rows)
    made: dict[str, Any] = {
        "form": form,
        "template": None,
        "before": "",
        "after": "\n" if form == "completion" else "",
        "context": int(preprocess["input_size"]),
        **{name: preprocess[name] for name in ("pad", "bos", "end")},
    }
    tokenizer = tokens.open_tokenizer(tokens.read(Path(preprocess["folder"])), 8) if preprocess.get("folder") else None
    for name in ("bos", "end"):
        known = tokenizer is not None and preprocess[name] is not None
        made[f"{name}_token"] = tokenizer.id_to_token(preprocess[name]) if known else None
    if form == "chat":
        import json

        given = chat_template.own(Path(preprocess["folder"]), names(made)) if preprocess.get("folder") else None
        chats = dataset.split("train")["turns"].head(LOOKED_AT // 10)
        fits = given is not None and all(chat_template.spans(json.loads(turns), given) for turns in chats)
        made["template"] = "own" if fits else "plain"
        before, after = chat_template.around(given if fits and given else plainly(str(made["end_token"] or "")))
        made |= {"before": before, "after": after}
    return made


def _lengths(dataset: Dataset, preprocess: Mapping[str, Any], made: dict[str, Any]) -> np.ndarray:
    """Token counts of (sampled) training examples; estimated where there is no tokenizer."""
    from tlcore.models import tokenization as tokens
    from tlcore.tasks.text_generation.examples import encode, writer

    rows = text_lengths.some(dataset.split("train"), LOOKED_AT)
    if preprocess.get("folder") is None:
        more = rows["completion"].str.len() if "completion" in rows else 0
        return np.asarray(2 + (rows["text"].str.len() + more) / CHARACTERS_A_TOKEN)
    folder = Path(preprocess["folder"])
    whole = {**made, "size": 1_000_000}
    return np.diff(encode(tokens.read(folder), rows, whole, writer(whole, folder))["starts"])
