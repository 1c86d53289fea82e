"""AdaBN: batch-norm statistics of the target domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.tasks.shared.inference import in_batches
from tlcore.training.hooks.contract import At
from tlcore.training.hooks.second_stream import needed

if TYPE_CHECKING:
    from tlcore.training.phase import Training

MOST = (256, 2_000)  # bounds of the number of target examples used; between them, the number of training examples


class AdaBn:
    """Sets the running statistics of batch norm to those of the target domain after each epoch.

    The saved state therefore has them, too (Li et al. 2016, arXiv 1603.04779). With ``needed``, raises UnusableInput
    for a network without batch norm.
    """

    id = "adabn"
    what = sentence("batch-norm statistics of the target domain (AdaBN)")

    def __init__(self, needed: bool = True):
        self.needed = needed

    def begin(self, training: Training, device: str) -> None:
        self.training, self.device = training, device
        self.examples = needed(training, "unlabelled")
        if self.needed and not layers(training.model):
            raise UnusableInput(
                sentence(
                    "This network has no batch norm, whose statistics AdaBN would replace. Choose another method or "
                    "source model."
                ),
                code="strategy-refused",
            )

    def after_evaluation(self, model: Any, seen: dict[str, float], at: At) -> None:
        found = layers(model)
        if found and at.epoch:  # the first evaluation (epoch 0) uses the unmodified network
            adapt(self.training, model, found, self.examples, self.device)


def layers(model: Any) -> list[Any]:
    """The batch-norm layers with running statistics."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.running_mean is not None]


def adapt(training: Training, model: Any, found: list[Any], examples: Any, device: str) -> None:
    """Replace the running statistics of the layers ``found`` by their mean over target batches of equal size."""
    size = max(2, training.batch_size // training.accumulation)
    most = int(np.clip(len(training.examples["train"]), *MOST))
    order = np.random.default_rng(0).permutation(len(examples))[:most]
    chunks = [chunk for chunk in in_batches(order, size) if len(chunk) == min(size, len(order))]
    momenta = [layer.momentum for layer in found]
    for layer in found:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative mean of all batches
        layer.train()
    for batch in examples.batches(chunks, None, device):
        training.task.features(model, batch)
    for layer, momentum in zip(found, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
