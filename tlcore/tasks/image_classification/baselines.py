"""Baselines of image classification: the most common class, colour histograms, and the source model as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Records
from tlcore.tasks.shared import class_scores, inference

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task
    from tlcore.tasks.shared.image_examples import PictureExamples

LEVELS = 4  # levels of each colour channel: 64 histogram bins
MOST_TRAIN = 4000  # most training images used for colour histograms
CHUNK = 256
MAJORITY, COLOURS, AS_IT_IS = sentence("commonest class"), sentence("colours alone"), sentence("source model as it is")
IMAGENET = re.compile(r"in(?:\d+k_ft_in)?1k")  # timm's tag of weights with an ImageNet-1k head


def fit_baselines(
    task: Task, examples: Mapping[str, PictureExamples], target: dict[str, Any], source: OpenSource
) -> list[Baseline]:
    """The three baselines on the test images; one that cannot answer has a reason instead of records."""
    test, classes = examples["test"], len(target["labels"])

    def scored(outputs: np.ndarray) -> Records:
        return task.evaluate(outputs, test, target)

    found = [
        Baseline("majority", MAJORITY, scored(class_scores.commonest(examples, classes))),
        Baseline("colours", COLOURS, scored(_by_colours(examples, classes))),
    ]
    rows, reason = matching(class_names(source), target["labels"])
    if reason is not None:
        return [*found, Baseline("source-as-it-is", AS_IT_IS, None, reason)]
    return [*found, Baseline("source-as-it-is", AS_IT_IS, scored(_as_it_is(source, test, rows)))]


def _by_colours(examples: Mapping[str, PictureExamples], classes: int) -> np.ndarray:
    """Logits (n, classes) of a logistic regression on colour histograms.

    Its regularisation is chosen on validation data.
    """
    from tlcore.models.logistic_head import logistic_head

    train = examples["train"]
    kept = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_TRAIN])
    validation = examples["validation"]
    head = logistic_head(
        histograms(train, kept), train.labels[kept], histograms(validation), validation.labels, classes
    )
    return histograms(examples["test"]) @ head["weight"].T + head["bias"]


def histograms(examples: PictureExamples, rows: np.ndarray | None = None) -> np.ndarray:
    """Colour histograms of the images, (n, 64) float32: square roots of shares (Hellinger)."""
    rows = np.arange(len(examples)) if rows is None else rows
    out = np.zeros((len(rows), LEVELS**3), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        pictures = examples.canvases.get(examples.rows[rows[start : start + CHUNK]])
        level = (pictures.astype(np.int64) * LEVELS) >> 8
        cell = ((level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]).reshape(len(pictures), -1)
        for i, cells in enumerate(cell):
            out[start + i] = np.bincount(cells, minlength=LEVELS**3) / len(cells)
    return np.sqrt(out)


def class_names(source: OpenSource) -> list[str]:
    """The class names of the source's own head, in output order; empty where unknown."""
    config = source.config
    known = config.get("label_names") or config.get("id2label") or config.get("pretrained_cfg", {}).get("label_names")
    if not known and (source.folder / "labels.json").exists():
        known = json.loads((source.folder / "labels.json").read_text(encoding="utf-8"))
    if isinstance(known, Mapping):
        known = [known[key] for key in sorted(known, key=int)] if all(str(k).isdigit() for k in known) else None
    if isinstance(known, list) and all(isinstance(name, str) for name in known):
        return [] if re.fullmatch(r"LABEL_\d+", known[0] if known else "LABEL_0") else known
    tag = str(config.get("pretrained_cfg", {}).get("tag", ""))
    if config.get("num_classes") == 1000 and IMAGENET.search(tag):
        from timm.data import ImageNetInfo

        names = ImageNetInfo("imagenet-1k")
        return [str(names.index_to_description(i)) for i in range(1000)]
    return []


def matching(names: Sequence[str], labels: Sequence[str]) -> tuple[list[list[int]], Sentence | None]:
    """For each label the matching source classes, and None; or an empty list and the reason why there is no match.

    A class such as "ant, emmet, pismire" has several names. A label matches the classes with exactly its name; if there
    are none, every class whose name ends with it ("tabby cat" for "cat").
    """
    if not names:
        return [], sentence("The source model has no classes with names of its own.")
    known = [[_plain(part) for part in re.split(r"[,;()]", name) if part.strip()] for name in names]
    rows = []
    for label in map(_plain, labels):
        same = [i for i, parts in enumerate(known) if label in parts]
        rows.append(same or [i for i, parts in enumerate(known) if any(p.endswith(f" {label}") for p in parts)])
    missing = [label for label, found in zip(labels, rows, strict=True) if not found]
    if missing:
        return [], sentence("The source model has no class named {labels}.", labels=missing[:5])
    if len({i for found in rows for i in found}) < sum(map(len, rows)):
        return [], sentence("Two of your classes would be the same class of the source model.")
    return rows, None


def _plain(name: str) -> str:
    """A name without case, underscores and plural."""
    words = re.sub(r"[^\w]+|_", " ", name.lower()).split()
    if words and len(words[-1]) > 3 and words[-1].endswith("s") and not words[-1].endswith("ss"):
        words[-1] = words[-1][:-1]
    return " ".join(words)


def _as_it_is(source: OpenSource, test: PictureExamples, rows: list[list[int]]) -> np.ndarray:
    """Log-probabilities (n, labels): the source's own head, summed over the classes of each label."""
    import torch

    device = machine.detect().device
    model = source.build(None, True, image_size=test.processor["size"]).eval().to(device)
    out = []
    with torch.inference_mode():
        for batch in test.batches(inference.in_batches(np.arange(len(test)), 32), None, device):
            shares = model(batch["pixels"]).float().log_softmax(dim=1)
            out.append(torch.stack([shares[:, found].logsumexp(dim=1) for found in rows], dim=1).cpu().numpy())
    return np.concatenate(out)
