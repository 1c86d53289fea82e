"""Word attributions by integrated gradients on the word embeddings (Sundararajan, Taly and Yan 2017, arXiv 1703.01365).

Computed with captum and summed over the tokens of each word.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.source_model import SourceModel

STEPS = 48  # Gauss-Legendre steps of the path from the baseline to the text
AT_ONCE = 16  # steps in one batch
MOST_WORK = 2e13  # most multiplications for all texts of a report: about two minutes on two cores
FAINT = 0.08  # words below this share of the strongest weight are not marked
FOR, AGAINST = "0, 114, 178", "213, 94, 0"  # blue and orange of Okabe and Ito, safe for colour blindness
Weights = list[tuple[str, float]]


def weigh(model: Any, ids: Sequence[int], label: int, kept: Sequence[bool]) -> tuple[np.ndarray, float]:
    """Attribution of each token (tokens,) to the label's logit, and the convergence error of their sum.

    With several labels the mean of all logits is subtracted. In the baseline input every token not in ``kept`` (special
    tokens) is the mean embedding. Padding would not work as baseline: its vector is zero, and a network that starts
    with normalisation jumps there. ``model`` is in evaluation mode.
    """
    import torch
    from captum.attr import IntegratedGradients

    embeddings = model.net.encoder.get_input_embeddings()
    given = torch.tensor([list(ids)])

    def logit(vectors: Any, given: Any) -> Any:
        # Pass the ids too: some networks derive positions from them.
        hook = embeddings.register_forward_hook(lambda *_: vectors)
        try:
            logits = model(given, torch.ones_like(given)).float()
        finally:
            hook.remove()
        return logits[:, label] - logits.mean(dim=1) if logits.shape[1] > 1 else logits[:, label]

    wanted = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(False)
    try:
        with torch.enable_grad():
            vectors = embeddings(given)
            nothing = torch.where(
                torch.tensor([list(kept)])[..., None], vectors, embeddings.weight.mean(dim=0).expand_as(vectors)
            )
            found, missed = IntegratedGradients(
                logit,
            ).attribute(
                vectors,
                nothing,
                additional_forward_args=(given,),
                n_steps=STEPS,
                method="gausslegendre",
                internal_batch_size=AT_ONCE,
                return_convergence_delta=True,
            )
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(wanted[name])
    return found[0].sum(dim=-1).detach().double().numpy(), float(missed[0])


def words(model: Any, tokenizer: Any, text: str, label: int) -> Weights:
    """The part of the text that the model read, as pieces (one word and what follows it) with their weights."""
    from tlcore.runtime.text_spans import words_of

    cut = tokenizer.encode(text)
    if not any(mask == 0 for mask in cut.special_tokens_mask):
        return []
    weights, _ = weigh(model, cut.ids, label, [bool(mask) for mask in cut.special_tokens_mask])
    found = words_of(text, cut.offsets)
    ends = [start for _, start, _ in found[1:]] + [max(end for _, end in cut.offsets)]
    places = [place for place, _, _ in found[1:]] + [len(weights)]
    return [
        (text[0 if i == 0 else start : max(end, stop)], round(float(weights[place:after].sum()), 4))
        for i, ((place, start, end), stop, after) in enumerate(zip(found, ends, places, strict=True))
    ]


def opened(folder: Path, source: SourceModel, processor: dict[str, Any]) -> tuple[Any, Any]:
    """A packed text model in evaluation mode, and its tokenizer truncating as in training. Raises UnusableInput."""
    from tlcore.models import tokenization
    from tlcore.models.loading import load

    return load(folder, source, processor["size"]).eval(), tokenization.open_tokenizer(
        tokenization.read(folder), processor["size"]
    )


def explain(model: Any, tokenizer: Any, text: str, labels: Sequence[str], label: int | None = None) -> dict[str, Any]:
    """The prediction, and the word weights for ``label`` (else for the predicted label)."""
    import torch

    ids = torch.tensor([tokenizer.encode(text).ids])
    with torch.inference_mode():
        predicted = int(model(ids, torch.ones_like(ids))[0].argmax())
    chosen = predicted if label is None else label
    return {
        "prediction": labels[predicted],
        "explained": labels[chosen],
        "text": text,
        "words": words(model, tokenizer, text, chosen),
    }


def illustrate(
    worst: list[dict[str, Any]],
    dataset: Dataset,
    source: SourceModel,
    weights: Path,
    processor: dict[str, Any],
    labels: Sequence[str],
) -> None:
    """Add ``words`` to each error: [[piece, weight], …] for the predicted label.

    Stops once `MOST_WORK` is exceeded; further errors are explained on demand.
    """
    explainable = [error for error in worst if error["prediction"] in labels]
    if not explainable:
        return
    texts = dataset.split("test").set_index("id")["text"]
    model, tokenizer = opened(weights, source, processor)
    embedded = model.net.encoder.get_input_embeddings().weight.numel()
    a_token = 6 * STEPS * (sum(parameter.numel() for parameter in model.parameters()) - embedded)
    work = 0
    for error in explainable:
        text = str(texts[error["id"]])
        work += a_token * len(tokenizer.encode(text).ids)
        if work > MOST_WORK:
            return
        error["words"] = words(model, tokenizer, text, labels.index(error["prediction"]))


def marked(weighted_words: Sequence[Sequence[Any]]) -> Markup:
    """The words as HTML with a background as strong as the weight.

    + with a solid line marks words for the answer, − with a dashed line words against it.
    """
    top = max((abs(weight) for _, weight in weighted_words), default=0.0)
    out = []
    for piece, weight in weighted_words:
        share = abs(weight) / top if top else 0.0
        word = str(piece).rstrip()
        if share < FAINT or not word:
            out.append(escape(piece))
            continue
        colour, line, sign = (FOR, "solid", "+") if weight > 0 else (AGAINST, "dashed", "−")
        out.append(
            Markup(
                '<span title="{title}" style="background:rgba({colour},{strength:.2f});'
                'border-bottom:2px {line} rgb({colour})">{word}<sup>{sign}</sup></span>{rest}'
            ).format(
                title=f"{weight:+.2f}",
                colour=colour,
                strength=0.55 * share,
                line=line,
                word=word,
                sign=sign,
                rest=str(piece)[len(word) :],
            )
        )
    return Markup("").join(out)
