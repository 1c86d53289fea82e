"""Model selection without target labels, and the domain distance before and after training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.tasks.shared.inference import in_batches
from tlcore.training.hooks.contract import At, Ended
from tlcore.training.hooks.domain_batches import proxy_a
from tlcore.training.hooks.second_stream import needed

if TYPE_CHECKING:
    from tlcore.training.phase import Training

# bounds of the number of target examples evaluated per epoch; between them, the number of training examples
LOOKED_AT = (200, 1_000)
COMPARED = 500  # examples of each domain for the domain classifier
NEIGHBOURS = 0.05  # the temperature of soft neighbourhood density


class UnsupervisedSelection:
    """Selects the state with the highest sum of source validation score (0-1) and target `information` (0-1).

    This sum ranks states about as well as any validator without target labels (Musgrave et al. 2022, arXiv 2208.07360).
    Soft neighbourhood density (Saito et al. 2021, arXiv 2108.10860) is reported only.
    """

    id = "target-choice"
    what = sentence("the best epoch chosen without target labels")

    def __init__(self) -> None:
        self.before: float | None = None
        self.best = -np.inf

    def begin(self, training: Training, device: str) -> None:
        self.training, self.device = training, device
        self.target = needed(training, "unlabelled")

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> tuple[float, float]:
        most = int(np.clip(len(self.training.examples["train"]), *LOOKED_AT))
        features, logits = self._look(model, self.target, most)
        if at.epoch == 0:
            self.before = self._domain_distance(model, features)
        informed, dense = information(logits), density(logits)
        seen |= {"target_information": informed, "target_density": dense}
        metric = self.training.metric
        score = seen[metric.id] if metric.higher_is_better else -seen[metric.id]
        self.best = max(self.best, score + informed)
        return score + informed, -seen["loss"]

    def state_dict(self) -> dict[str, Any]:
        return {"before": self.before, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.before, self.best = state["before"], state["best"]

    def end(self, model: Any) -> Ended:
        after = self._domain_distance(model, self._look(model, self.target, COMPARED)[0])
        n = min(COMPARED, len(self.target), len(self.training.examples["train"]))
        chosen = sentence(
            "The learning rate and the epoch were chosen without target labels: by the score on the source "
            "domain's validation data plus the information in the answers on the target domain."
        )
        return Ended([chosen], {"score": self.best, "proxy_a_before": self.before, "proxy_a_after": after, "n": n})

    def _domain_distance(self, model: Any, target: np.ndarray) -> float:
        source, _ = self._look(model, self.training.examples["train"], COMPARED)
        return proxy_a(source, target[:COMPARED])

    def _look(self, model: Any, examples: Any, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, d) and logits (n, classes) of at most ``most`` examples, the same ones on each call."""
        import torch

        model.eval()
        size = max(2, self.training.batch_size // self.training.accumulation)
        order = np.random.default_rng(0).permutation(len(examples))[:most]
        features, logits = [], []
        with torch.no_grad():
            for batch in examples.batches(in_batches(order, size), None, self.device):
                rows = self.training.task.features(model, batch)
                features.append(rows.float().cpu().numpy())
                logits.append(model.classify(rows).float().cpu().numpy())
        return np.concatenate(features), np.concatenate(logits)


def information(logits: np.ndarray) -> float:
    """Entropy of the mean prediction minus mean entropy of the predictions, over log classes; logits (n, classes).

    1 if all predictions are certain and every class is equally common (InfoMax: Shi & Sha 2012).
    """
    shares = _softmax(logits)
    mean = shares.mean(axis=0)
    return float((_entropy(mean) - _entropy(shares).mean()) / np.log(logits.shape[1]))


def density(logits: np.ndarray) -> float:
    """Soft neighbourhood density: mean entropy of the predictions' similarities to each other. Higher is better."""
    shares = _softmax(logits)
    unit = shares / np.linalg.norm(shares, axis=1, keepdims=True)
    similarities = unit @ unit.T / NEIGHBOURS
    np.fill_diagonal(similarities, -np.inf)
    return float(_entropy(_softmax(similarities)).mean())


def _softmax(rows: np.ndarray) -> np.ndarray:
    rows = np.exp(rows - rows.max(axis=-1, keepdims=True))
    return rows / rows.sum(axis=-1, keepdims=True)


def _entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.clip(shares, 1e-12, None))).sum(axis=-1)
