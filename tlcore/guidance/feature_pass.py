"""The feature pass: a source's frozen network runs once over training and validation data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import atomic_files, machine
from tlcore.core.errors import RunFailed
from tlcore.core.i18n import sentence
from tlcore.guidance.evidence import VERSION
from tlcore.training import features
from tlcore.training.features import Watch

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task
    from tlcore.training.features import Moments

SPLITS = ("train", "validation")
BATCH = {"cpu": 32, "cuda": 128}


@dataclass
class FeaturePass:
    """The results of the pass. ``weight`` (Z, d) and ``bias`` (Z,): the source's native head, None if it has none."""

    target: dict[str, Any]
    examples: Mapping[str, Any]
    features: dict[str, np.ndarray]  # (n, d) for each of SPLITS
    moments: Moments | None
    weight: np.ndarray | None
    bias: np.ndarray | None
    out_of_distribution: dict[str, dict[str, float]]

    def logits(self, features: np.ndarray) -> np.ndarray | None:
        """Outputs (n, Z) of the source's native head, which is linear in the features; None without such a head."""
        if self.weight is None:
            return None
        return features @ self.weight.T + (0.0 if self.bias is None else self.bias)


def run_feature_pass(
    dataset: Dataset,
    task: Task,
    source: OpenSource,
    processor: dict[str, Any],
    cache: Path,
    progress: Callable[..., None],
) -> FeaturePass:
    """Features, batch-norm moments and the out-of-distribution reference, from the cache or by one pass.

    ``progress`` receives shares up to 0.8. If memory runs out, the batch is halved; RunFailed if one example does not
    fit.
    """
    device = machine.detect().device
    target = task.fit_target(dataset)
    model, own = task.source_model(source, target, size=processor["size"])
    model.eval().to(device)
    examples = task.examples(dataset, processor, target, cache / "pictures", source)
    examples = {split: examples[split] for split in SPLITS}
    key = features.cache_key(dataset.fingerprint, source.content_digest, processor, dataset.cached_as)
    found = passed(task, model, source, examples, cache, key, progress)
    head = model.head if own else None
    seen = FeaturePass(
        target=target,
        examples=examples,
        features=found,
        moments=features.moments(cache / "features", key),
        weight=None if head is None else head.weight.detach().float().cpu().numpy(),
        bias=None if head is None or head.bias is None else head.bias.detach().float().cpu().numpy(),
        out_of_distribution={},
    )
    seen.out_of_distribution = _reference(task, model, source, processor, cache, device, seen)
    return seen


def passed(
    task: Task,
    model: Any,
    source: OpenSource,
    examples: Mapping[str, Any],
    cache: Path,
    key: str,
    progress: Callable[..., None],
) -> dict[str, np.ndarray]:
    """Features (n, d) of every split, from the cache or by one pass of the frozen network; reports progress.

    If memory runs out, the batch is halved; RunFailed if one example does not fit.
    """
    device, title = machine.detect().device, source.source.title
    total, done = sum(len(part) for part in examples.values()), 0

    def step(n: int) -> None:
        nonlocal done
        done = min(total, done + n)
        progress(
            0.75 * done / max(1, total),
            sentence("{source} looks at every example once: {done} of {total}", source=title, done=done, total=total),
        )

    step(0)
    batch = BATCH[device]
    while True:
        try:
            return features.extract(
                task, model, examples, cache / "features", key, device=device, batch_size=batch, step=step
            )[0]
        except Exception as error:
            if not machine.out_of_memory(error):
                raise
            if batch == 1:
                raise RunFailed(
                    sentence(
                        "The memory of {device} is too small for {source} to look at one example. Choose a smaller "
                        "picture size or a smaller source model.",
                        device=machine.detect().name,
                        source=title,
                    ),
                    code="out-of-memory",
                ) from error
        batch, done = batch // 2, 0


def _reference(
    task: Task, model: Any, source: OpenSource, processor: dict[str, Any], cache: Path, device: str, seen: FeaturePass
) -> dict[str, dict[str, float]]:
    """The out-of-distribution reference, computed once per network and preprocessing; independent of the dataset."""
    plain = {k: v for k, v in processor.items() if k != "augmentation"}
    key = json.dumps([source.content_digest, VERSION, plain, features.computed_by()], sort_keys=True)
    path = cache / "evidence" / "far" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if path.exists():
        return json.loads(path.read_text())
    import torch

    from tlcore.guidance.similarity import out_of_distribution_reference

    found = {}
    for kind, batch in (task.out_of_distribution(processor, device) or {}).items():
        watch = Watch(model)
        with torch.inference_mode():
            rows = task.features(model, batch)
        watch.stop()
        if rows is not None:
            taken = rows.float().cpu().numpy()
            found[kind] = out_of_distribution_reference(watch.moments(len(taken)), taken, seen.logits(taken))
    atomic_files.write(path, json.dumps(found))
    return found
