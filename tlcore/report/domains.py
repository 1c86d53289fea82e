"""Where examples of two domains lie before and after they were brought together, as a map of two dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import Sentence, sentence
from tlcore.tasks.shared.inference import in_batches
from tlcore.training.features import forward

if TYPE_CHECKING:
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

MOST = 200  # examples of each domain
AT_ONCE = 16
DIMENSIONS = 30  # of the principal components that t-SNE is given


def build(context: RunContext, examples: Mapping[str, Any], packed: ArmResult) -> dict[str, Any] | None:
    """Places (x, y) of training examples of both domains by the features of the source model and of the packed one:
    t-SNE (van der Maaten & Hinton 2008) of both domains together. None where the strategy has no second domain.
    """
    sets = context.plan.get("sets", {})
    if "tested_on" not in context.plan or "unlabelled" not in sets:
        return None
    from tlcore.data import auxiliary

    task, size, device = context.task, context.processor["size"], machine.detect().device
    other = auxiliary.named(context.plan, context.store, context.owner)["unlabelled"]
    cache = context.store.home / "cache" / "pictures"
    domains = {
        "source": examples["train"],
        "target": task.examples(other, context.processor, context.target, cache, context.source)["train"],
    }
    models = {
        "before": lambda: task.source_model(context.source, context.target, size=size)[0],
        "after": lambda: task.load(packed.weights, context.source.source, size),
    }
    return {
        "source": context.dataset.info.name.removesuffix(f" → {context.plan['tested_on']}"),
        "target": other.info.name,
        **{name: _map(task, make().to(device), domains, device) for name, make in models.items()},
    }


def summary(measured: Mapping[str, Any]) -> Sentence:
    """How far apart the domains were and are, from what `hooks.target_choice` measured."""
    before, after = measured["proxy_a_before"] or 0.0, measured["proxy_a_after"]
    return sentence(
        "How well the two domains can be told apart by the features (proxy-A-distance: 0 not at all, 2 "
        "perfectly; {n} examples of each): {before} before, {after} after.",
        n=measured["n"],
        before=round(before, 2),
        after=round(after, 2),
    )


def _map(task: Any, model: Any, domains: Mapping[str, Any], device: str) -> dict[str, list[list[float]]]:
    rows = {}
    for name, examples in domains.items():
        order = np.sort(np.random.default_rng(0).permutation(len(examples))[:MOST])
        rows[name] = np.concatenate(list(forward(task, model, examples, in_batches(order, AT_ONCE), device)))
    placed = places(np.concatenate(list(rows.values())))
    cut = len(rows["source"])
    return {"source": placed[:cut].tolist(), "target": placed[cut:].tolist()}


def places(features: np.ndarray) -> np.ndarray:
    """(n, 2), each between 0 and 1, of features (n, d); the same each time."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n = len(features)
    if n < 5:
        return np.zeros((n, 2))
    with threadpool_limits(1):
        reduced = PCA(min(DIMENSIONS, n, features.shape[1]), random_state=0).fit_transform(features)
        placed = TSNE(perplexity=min(30.0, (n - 1) / 4), init="pca", random_state=0).fit_transform(reduced)
    low, high = placed.min(axis=0), placed.max(axis=0)
    return np.round((placed - low) / np.where(high > low, high - low, 1.0), 3)
