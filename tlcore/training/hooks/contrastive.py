"""Contrastive pairs: pull examples of one class together, push different classes apart; for few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.tasks.shared.inference import in_batches, longest_first, metrics
from tlcore.training.features import forward
from tlcore.training.hooks.contract import At, Ended

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

CENTRES_OF = 1_000  # training examples, drawn at random, for the class centres
SHARPNESS = 10.0  # factor from cosine to logit


class Contrastive:
    """Replaces the task's loss by a squared error on the cosines of all pairs of a batch.

    The target cosine is 1 within a class and 0 across classes; both kinds of pairs have equal weight (Tunstall et al.
    2022, SetFit, arXiv 2209.11055; all pairs of a batch instead of sampled ones). The head is not used.

    Validation scores use the nearest class centre, the mean direction of training examples.
    """

    id = "contrastive"
    what = sentence("examples of one class drawn together, others driven apart (contrastive pairs)")

    def begin(self, training: Training, device: str) -> None:
        self.training, self.device = training, device
        self.seen: Any = None
        self.handle = training.model.head.register_forward_pre_hook(self._look)
        train = training.examples["train"]
        self.some = np.sort(np.random.default_rng(training.seed).permutation(len(train))[:CENTRES_OF])

    def _look(self, _module: Any, inputs: tuple[Any, ...]) -> None:
        self.seen = inputs[0]

    def loss(self, model: Any, batch: Any, given: Any, loss: torch.Tensor, at: At) -> torch.Tensor:
        import torch
        from torch.nn import functional

        direction = functional.normalize(self.seen.float(), dim=1)
        labels = batch["labels"]
        one, other = torch.triu_indices(len(labels), len(labels), 1, device=direction.device)
        cosine, same = (direction[one] * direction[other]).sum(dim=1), labels[one] == labels[other]
        wrong = (cosine - same.float()).square()
        kinds = [wrong[kind].mean() for kind in (same, ~same) if kind.any()]
        return torch.stack(kinds).mean() if kinds else 0.0 * cosine.sum() + 0.0 * direction.sum()

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float]:
        """Replace the scores of the untrained head by those of the nearest class centre."""
        task, examples, target = self.training.task, self.training.examples, self.training.target
        labels = task.classes(examples["train"])[self.some]
        rows = self._directions(model, examples["train"], self.some)
        centres = np.stack([rows[labels == label].sum(axis=0) for label in range(len(target["labels"]))])
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        validation = examples["validation"]
        logits = SHARPNESS * self._directions(model, validation, np.arange(len(validation))) @ centres.T
        truth = task.classes(validation)
        known = truth >= 0
        log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        missed = -float(log[known, truth[known]].mean()) if known.any() else 0.0
        seen.clear()
        seen.update(metrics(task, logits, validation, target), loss=missed)
        metric = self.training.metric
        return seen[metric.id] * (1 if metric.higher_is_better else -1), -missed

    def end(self, model: Any) -> Ended:
        self.handle.remove()
        return Ended()

    def _directions(self, model: Any, examples: Any, order: np.ndarray) -> np.ndarray:
        """Features (k, d) of unit length of the examples in ``order``, which is ascending."""
        places = longest_first(examples, order)
        chunks = in_batches(places, self.training.batch_size)
        rows = np.concatenate(list(forward(self.training.task, model, examples, chunks, self.device)))
        out = np.empty_like(rows)
        out[np.searchsorted(order, places)] = rows
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
