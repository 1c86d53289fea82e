"""The feature cache: a frozen backbone runs once over every example, and the features are stored on disk.

One file per split: measurements before training use training and validation data only, and a run adds the test set
later. The pass over the training examples also records the batch-norm moments.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.core import atomic_files
from tlcore.core.i18n import sentence
from tlcore.store import cache
from tlcore.tasks.contract import Task
from tlcore.tasks.shared.image_examples import DECODE_VERSION
from tlcore.tasks.shared.inference import in_batches, longest_first

MOMENTS_OF = 256  # training examples, drawn at random, for the batch-norm moments
BLOCKS = 16  # blocks of examples, used to estimate the moments' variance
PACKAGES = ("torch", "timm", "transformers", "tokenizers", "pillow")  # features may depend on the versions of these


@dataclass(frozen=True)
class Moments:
    """Moments of the inputs of all batch-norm layers, with channels concatenated (C in total).

    ``mean`` and ``square`` (blocks, C): means of the inputs and of their squares over positions and the examples of a
    block. ``source_mean`` and ``source_var`` (C,): the layers' running statistics. ``layer`` (C,): the layer's index.
    """

    mean: np.ndarray
    square: np.ndarray
    source_mean: np.ndarray
    source_var: np.ndarray
    layer: np.ndarray


def cache_key(fingerprint: str, model: str, processor: Mapping[str, Any], root: str | None = None) -> str:
    """The cache key of features: everything that can change a feature.

    That is the data, the model (`OpenSource.content_digest`), preprocessing and software versions. Augmentation is left
    out, since features are extracted without it. The key begins with the dataset's fingerprint, or for a view with that
    of its dataset (``root``, `Dataset.cached_as`), so that features can be removed with their data.
    """
    preprocessing = {k: v for k, v in processor.items() if k != "augmentation"}
    parts = json.dumps([fingerprint, model, preprocessing, computed_by()], sort_keys=True)
    return f"{root or fingerprint}-{hashlib.sha256(parts.encode()).hexdigest()[:24]}"


@functools.cache
def computed_by() -> dict[str, str]:
    """Versions of the packages that decode examples and build networks, by name."""
    found = {"decode": str(DECODE_VERSION)}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def extract(
    task: Task,
    model: Any,
    examples: Mapping[str, Any],
    folder: Path | None,
    key: str,
    *,
    device: str,
    batch_size: int,
    step: Any = lambda n: None,
) -> tuple[dict[str, np.ndarray], float]:
    """Features (n, d) float32 of every split in ``examples``, from disk or by one forward pass, and the seconds.

    The seconds include the original time of cached passes. ``step(n)`` is called after each batch of n examples. Files
    are written atomically; without ``folder`` nothing is written.
    """
    found: dict[str, np.ndarray] = {}
    total = 0.0
    for split, these in examples.items():
        path = folder / f"{key}-{split}.npz" if folder else None
        passed_features = _read(path, len(these)) if path else None
        if passed_features is not None and split == "train" and folder and _normalises(model):
            passed_features = (
                passed_features if (folder / f"{key}-moments.npz").exists() else None
            )  # one pass yields features and moments
        if passed_features is None:
            passed_features = _pass(task, model, split, these, folder, key, device, batch_size, step)
            if path:
                _write(path, features=passed_features[0], seconds=np.float64(passed_features[1]))
        found[split] = passed_features[0]
        total += passed_features[1]
    return found, total


def moments(folder: Path, key: str) -> Moments | None:
    """The batch-norm moments recorded by the pass over the training examples; None if there are none."""
    path = folder / f"{key}-moments.npz"
    try:
        with np.load(path) as kept:
            return Moments(**{name: kept[name] for name in Moments.__dataclass_fields__})
    except FileNotFoundError:
        return None


def _pass(
    task: Task,
    model: Any,
    split: str,
    examples: Any,
    folder: Path | None,
    key: str,
    device: str,
    batch_size: int,
    step: Callable[[int], None],
) -> tuple[np.ndarray, float]:
    """Features (n, d) of one split and the seconds taken. Training examples go in random order for unbiased moments."""
    started = time.perf_counter()
    n = len(examples)
    order = np.random.default_rng(0).permutation(n) if split == "train" else np.arange(n)
    order = longest_first(examples, order)
    watch = Watch(model) if split == "train" and folder else None
    out = np.zeros((n, 1), np.float32)
    chunks = in_batches(order, batch_size)
    for chunk, rows in zip(chunks, forward(task, model, examples, chunks, device), strict=True):
        if not out.size or out.shape[1] != rows.shape[1]:
            out = np.empty((n, rows.shape[1]), np.float32)
        out[chunk] = rows
        if watch and watch.seen >= MOMENTS_OF:
            watch.stop()
        step(len(chunk))
    if watch:
        watch.stop()
        assert folder is not None
        if kept := watch.moments(MOMENTS_OF):
            _write(folder / f"{key}-moments.npz", **vars(kept))
    return out, time.perf_counter() - started


def forward(task: Task, model: Any, examples: Any, chunks: list[np.ndarray], device: str) -> Any:
    """Yield the features (k, d) float32 of each chunk of indices. Raises ValueError if the task has no features."""
    import torch

    model.eval()
    for batch in examples.batches(chunks, None, device):
        with torch.inference_mode():
            rows = task.features(model, batch)
        if rows is None:
            raise ValueError(str(sentence("This task has no features to keep.")))
        yield rows.float().cpu().numpy()


class Watch:
    """Records the input moments of each batch-norm layer through forward hooks, until stopped."""

    def __init__(self, model: Any):
        from torch.nn.modules.batchnorm import _BatchNorm

        self.layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
        self.rows: list[list[tuple[Any, Any]]] = [[] for _ in self.layers]
        self.hooks = [
            layer.register_forward_pre_hook(lambda _module, inputs, at=at: self._look(at, inputs[0]))
            for at, layer in enumerate(self.layers)
        ]

    @property
    def seen(self) -> int:
        """Examples seen by every layer."""
        return sum(len(mean) for mean, _ in self.rows[-1]) if self.rows else MOMENTS_OF

    def stop(self) -> None:
        for hook in self.hooks:
            hook.remove()

    def moments(self, most: int) -> Moments | None:
        """Moments of at most ``most`` examples, in `BLOCKS` blocks; None without batch-norm layers or examples."""
        import torch

        used = [at for at, rows in enumerate(self.rows) if rows]
        if not used:
            return None
        mean, square = (
            torch.cat([torch.cat([pair[which] for pair in self.rows[at]])[:most] for at in used], dim=1).cpu().numpy()
            for which in (0, 1)
        )
        parts = np.array_split(np.arange(len(mean)), min(BLOCKS, len(mean)))
        layers = [self.layers[at] for at in used]
        return Moments(
            mean=np.stack([mean[part].mean(axis=0) for part in parts]),
            square=np.stack([square[part].mean(axis=0) for part in parts]),
            source_mean=np.concatenate([layer.running_mean.float().cpu().numpy() for layer in layers]),
            source_var=np.concatenate([layer.running_var.float().cpu().numpy() for layer in layers]),
            layer=np.repeat(np.arange(len(layers)), [layer.num_features for layer in layers]).astype(np.int32),
        )

    def _look(self, at: int, x: Any) -> None:
        """Record the means over positions of the inputs and of their squares, (k, channels) each."""

        x = x.detach().float()
        if x.ndim == 2:
            self.rows[at].append((x, x.square()))
            return
        places = tuple(range(2, x.ndim))
        self.rows[at].append((x.mean(places), _mean_square(x, places)))


def _normalises(model: Any) -> bool:
    """Whether the network has batch-norm layers with running statistics."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(isinstance(m, _BatchNorm) and m.running_mean is not None for m in model.modules())


def _mean_square(x: Any, places: tuple[int, ...]) -> Any:
    """Means over positions of the squares of ``x`` (k, channels, …), (k, channels)."""
    import torch

    if x.device.type != "cpu":
        return torch.linalg.vector_norm(x, dim=places).square() / x[0, 0].numel()
    # The squares of one example fit in the CPU cache: three to four times as fast as the batch at once.
    buffer, rows = torch.empty_like(x[0]), []
    for one in x:
        rows.append(torch.square(one, out=buffer).mean(tuple(place - 1 for place in places)))
    return torch.stack(rows)


def _read(path: Path, n: int) -> tuple[np.ndarray, float] | None:
    try:
        with np.load(path) as kept:
            rows, seconds = kept["features"], float(kept["seconds"])
    except FileNotFoundError:
        return None
    cache.touch(path)
    return (rows, seconds) if len(rows) == n else None


def _write(path: Path, **arrays: Any) -> None:
    with atomic_files.atomic_path(path) as draft, draft.open("wb") as file:
        np.savez(file, **arrays)
