"""Two-dimensional maps of the features of two domains, before and after domain adaptation."""

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
AT_ONCE = 16  # examples per batch
DIMENSIONS = 30  # principal components that go into t-SNE


def build(context: RunContext, examples: Mapping[str, Any], packed: ArmResult) -> dict[str, Any] | None:
    """t-SNE maps of training examples of both domains, by features of the source model and of the packed model.

    Keys: ``source`` and ``target`` (dataset names), ``before`` and ``after`` ({source, target}: lists of [x, y], each
    0-1). Each map is one t-SNE (van der Maaten & Hinton 2008) of both domains together. None if the strategy has no
    second domain.
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
    """The proxy-A-distance of the domains before and after, measured by `hooks.target_choice`, as one sentence."""
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
    """The t-SNE positions (n, 2), each 0-1, of features (n, d). Deterministic; all zeros if n < 5."""
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
