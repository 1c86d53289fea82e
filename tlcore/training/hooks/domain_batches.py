"""Shared parts of the domain adaptation methods: head inputs and outputs of both domains, and domain distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.training.hooks.second_stream import draw, needed

if TYPE_CHECKING:
    import torch

    from tlcore.training.hooks.contract import At
    from tlcore.training.phase import Training


@dataclass(frozen=True)
class DomainBatch:
    """Features (k, d) and logits (k, classes), float32, of the labelled source batch and its target batch."""

    source: torch.Tensor
    source_logits: torch.Tensor
    target: torch.Tensor
    target_logits: torch.Tensor


class Domains:
    """Draws target batches and records the head's input.

    Batches of the two domains go through the network separately, so that batch norm normalises each by itself.
    """

    def __init__(self, training: Training, device: str):
        self.training, self.device = training, device
        self.examples = needed(training, "unlabelled")
        if getattr(training.model, "head", None) is None:
            raise UnusableInput(
                sentence("Domain adaptation needs a network that ends in a linear head."), code="strategy-refused"
            )
        self.width, self.classes = training.model.head.in_features, training.model.head.out_features
        self._inputs: list[Any] = []
        self._hook = training.model.head.register_forward_pre_hook(self._look)

    def see(self, model: Any, batch: Any, given: Any, at: At) -> DomainBatch:
        """Features and logits of both domains; ``given``: logits (k, classes) of the labelled batch."""
        source = self._inputs[-1]
        batch = draw(self.examples, len(given), at, self.device)
        target = self.training.task.features(model, batch)
        logits = model.classify(target)
        self._inputs.clear()
        return DomainBatch(source.float(), given.float(), target.float(), logits.float())

    def close(self) -> None:
        """Stop recording."""
        self._hook.remove()

    def _look(self, module: Any, inputs: tuple[Any, ...]) -> None:
        if module.training:
            self._inputs[:] = [inputs[0].flatten(1)]


def reversed_gradient(features: torch.Tensor, strength: float) -> torch.Tensor:
    """Identity whose gradient is multiplied by minus ``strength`` (Ganin et al. 2016)."""
    return features.detach() * (1 + strength) - features * strength


def ramp(share: float) -> float:
    """A schedule from 0 to 1 over the training: 2 / (1 + exp(-10 p)) - 1 (Ganin et al. 2016, section 5.2.2)."""
    from math import exp

    return 2 / (1 + exp(-10 * share)) - 1


def discriminator(inputs: int, width: int = 256) -> torch.nn.Module:
    """A network from (n, inputs) to domain logits (n, 1); above 0 is the source."""
    from torch import nn

    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))


def domain_accuracy(source: np.ndarray, target: np.ndarray) -> tuple[float, int]:
    """Accuracy (0-1) of a linear domain classifier on the held-out half, and the number of held-out examples.

    ``source`` (n, d) and ``target`` (m, d) are features. The first min(n, m) of each are used. (0.5, 0) if none is held
    out.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    n = min(len(source), len(target))
    rows = np.concatenate([source[:n], target[:n]])
    which = np.repeat([0, 1], n)
    std = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(std < 1e-6, 1.0, std)
    fit = np.tile(np.arange(n) % 2 == 0, 2)
    if fit.all():
        return 0.5, 0
    with threadpool_limits(1):
        model = LogisticRegression(C=1 / rows.shape[1], max_iter=200).fit(rows[fit], which[fit])
        return float((model.predict(rows[~fit]) == which[~fit]).mean()), int((~fit).sum())


def proxy_a(source: np.ndarray, target: np.ndarray) -> float:
    """The proxy-A-distance 2 (1 - 2 ε), ε the error of `domain_accuracy`, at most ½ (Ben-David et al. 2006, NIPS)."""
    return distance(domain_accuracy(source, target)[0])


def distance(right: float) -> float:
    """The proxy-A-distance, 0 to 2, from the accuracy ``right`` (0-1) of a domain classifier."""
    return 2 * (1 - 2 * min(0.5, 1 - right))
