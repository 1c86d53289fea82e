"""A/A honesty: how often the report calls two arms of the same recipe different.

Small convnets are really trained on scikit-learn's digits, many seeds in each of many settings (amount of training
data, size of the test set, which digits, label noise); each setting's seeds are shuffled into disjoint pairs of arms
of three seeds, and every pair is put to `tlcore.evaluation.statistics.difference`. Both arms being one recipe, every
verdict other than "no clear difference" is false. Beside it: what one seed, and a bootstrap over the test set alone,
would have claimed, and the power where the arms truly differ.

    python benchmarks/aa.py [--records FOLDER] [--seeds 30] [--settings 28]
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tlcore.evaluation import statistics
from tlcore.evaluation.records import Records
from tlcore.tasks.image_classification.task import ImageClassification

TASK = ImageClassification()
TRAIN_SIZES = (60, 120, 250, 500)
TEST_SIZES = (60, 150, 300, 600)
DIGITS = (tuple(range(10)), (3, 5, 8, 9), (1, 7))
NOISE = (0.0, 0.15)


def settings(count: int) -> list[dict]:
    """The first ``count`` combinations in a fixed shuffled order."""
    every = [
        {"train": train, "test": test, "digits": digits, "noise": noise}
        for train, test, digits, noise in itertools.product(TRAIN_SIZES, TEST_SIZES, DIGITS, NOISE)
        if train + test <= 170 * len(digits)
    ]
    order = np.random.default_rng(7).permutation(len(every))
    return [every[i] for i in order[:count]]


def train_arms(setting: dict, seeds: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (seeds, n, classes) on the test set and its truth (n,), one convnet a seed, all trained side by side."""
    import torch
    from sklearn.datasets import load_digits

    torch.set_num_threads(1)  # steps of a few milliseconds: a second thread costs more than it gains
    rng = np.random.default_rng(draw)
    images, labels = load_digits(return_X_y=True)
    keep = np.isin(labels, setting["digits"])
    images, labels = (
        images[keep].reshape(-1, 1, 8, 8) / 16.0,
        np.searchsorted(setting["digits"], labels[keep]),
    )
    order = rng.permutation(len(labels))
    start = setting["train"] + setting.get("skip", 0)
    train, test = order[: setting["train"]], order[start : start + setting["test"]]
    classes = len(setting["digits"])
    targets = labels[train].copy()
    wrong = rng.random(len(targets)) < setting["noise"]
    targets[wrong] = rng.integers(0, classes, wrong.sum())

    parameters = [
        _drawn_weights(shape, fan_in, seeds, draw)
        for shape, fan_in in (((8, 9), 9), ((16, 72), 72), ((classes, 144), 144))
    ]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    x, y = torch.tensor(images[train], dtype=torch.float32), torch.tensor(targets)
    batch, generator = 20, torch.Generator().manual_seed(draw)
    for _ in range(15):
        orders = torch.stack([torch.randperm(len(y), generator=generator) for _ in range(seeds)])
        for start in range(0, len(y) - batch + 1, batch):
            pick = orders[:, start : start + batch]
            logits = _convnets(parameters, x[pick])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[pick].flatten(), reduction="sum")
            optimizer.zero_grad()
            (loss / batch).backward()
            optimizer.step()
    with torch.no_grad():
        pictures = torch.tensor(images[test], dtype=torch.float32)
        outputs = _convnets(parameters, pictures.expand(seeds, -1, -1, -1, -1))
    return outputs.numpy(), labels[test]


def _drawn_weights(shape: tuple[int, int], fan_in: int, seeds: int, draw: int):  # type: ignore[no-untyped-def]
    """He-uniform weights (seeds, out, in), each seed's own."""
    import torch

    bound = (6 / fan_in) ** 0.5
    each = [
        torch.rand(shape, generator=torch.Generator().manual_seed(100_000 * fan_in + 1000 * draw + seed))
        for seed in range(seeds)
    ]
    return ((2 * torch.stack(each) - 1) * bound).requires_grad_()


def _convnets(parameters, x):  # type: ignore[no-untyped-def]
    """(seeds, batch, 1, 8, 8) to logits (seeds, batch, classes): conv 3x3, ReLU, conv 3x3 stride 2, ReLU, linear.

    All the seeds' convolutions go in one call, each seed a group of channels.
    """
    from torch.nn.functional import conv2d

    first, second, last = parameters
    seeds, batch = x.shape[:2]
    hidden = x.transpose(0, 1).flatten(1, 2)
    hidden = conv2d(hidden, first.view(-1, 1, 3, 3), padding=1, groups=seeds).relu()
    hidden = conv2d(hidden, second.view(-1, 8, 3, 3), stride=2, groups=seeds).relu()
    return hidden.view(batch, seeds, 144).transpose(0, 1) @ last.transpose(1, 2)


def records(outputs: np.ndarray, truth: np.ndarray) -> list[Records]:
    """Per-unit records, one a seed, as a report would hold them."""
    examples = SimpleNamespace(ids=[str(i) for i in range(len(truth))], groups=np.arange(len(truth)), labels=truth)
    return [TASK.evaluate(one, examples, {}) for one in outputs]


def stored(folder: Path | None, name: str, setting: dict, seeds: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    path = folder / f"{name}-{seeds}.npz" if folder else None
    if path is None or not path.exists():
        outputs, truth = train_arms(setting, seeds, draw)
        if path is None:
            return outputs, truth
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, outputs=outputs, truth=truth)
    with np.load(path) as kept:
        return kept["outputs"], kept["truth"]


def test_set_alone(first: list[Records], second: list[Records]) -> bool:
    """A false verdict of the naive rule: a paired bootstrap over the test set, seeds taken as given."""
    flags = [np.mean([r.columns["truth"] == r.columns["prediction"] for r in arm], axis=0) for arm in (first, second)]
    gap = flags[0] - flags[1]
    weights = next(statistics.resampling_weights(first[0].unit, 1000, np.random.default_rng(0)))
    low, high = np.quantile(weights @ gap / len(gap), [0.025, 0.975])
    return bool((low > 0 or high < 0) and abs(gap.mean()) >= TASK.metrics[0].smallest)


def upper_bound(false: int, n: int) -> float:
    """Clopper-Pearson's 95 % upper bound (two-sided interval) of a rate."""
    from scipy.stats import beta

    return float(beta.ppf(0.975, false + 1, n - false)) if false < n else 1.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--records", type=Path, help="keep the outputs here, or read them from here")
    arguments.add_argument("--seeds", type=int, default=30)
    arguments.add_argument("--settings", type=int, default=60)
    asked = arguments.parse_args()
    started = time.perf_counter()
    false = {"nested, 3 seeds": [], "test set alone, 3 seeds": [], "test set alone, 1 seed": []}
    spread, arms = [], {}
    for draw, setting in enumerate(settings(asked.settings)):
        outputs, truth = stored(asked.records, f"setting-{draw}", setting, asked.seeds, draw)
        every = records(outputs, truth)
        arms[draw] = (setting, every)
        accuracy = [float((r.columns["truth"] == r.columns["prediction"]).mean()) for r in every]
        spread.append((np.mean(accuracy), np.std(accuracy, ddof=1)))
        order = np.random.default_rng(draw).permutation(len(every))
        for start in range(0, len(order) - 5, 6):
            first, second = ([every[i] for i in order[a : a + 3]] for a in (start, start + 3))
            verdict = statistics.difference(TASK, first, second, {}, seed=draw).verdict
            false["nested, 3 seeds"].append(verdict != "no-clear-difference")
            false["test set alone, 3 seeds"].append(test_set_alone(first, second))
            false["test set alone, 1 seed"].append(test_set_alone(first[:1], second[:1]))
    mean, deviation = np.array(spread).T
    print(
        f"{len(spread)} settings, {asked.seeds} seeds each; accuracy {mean.min():.2f}-{mean.max():.2f}, "
        f"deviation from seed to seed {deviation.min():.3f}-{deviation.max():.3f}"
    )
    for rule, verdicts in false.items():
        n, k = len(verdicts), int(sum(verdicts))
        print(f"A/A {rule}: {k} of {n} verdicts false = {k / n:.3f}, 95 % upper bound {upper_bound(k, n):.3f}")
    power(asked)
    print(f"{time.perf_counter() - started:.0f} s")


def power(asked: argparse.Namespace) -> None:
    """Verdicts where the first arm had more training examples than the second, on one test set."""
    for more, less, test in ((250, 60, 300), (250, 120, 300), (500, 250, 300), (250, 120, 60)):
        base = {"test": test, "digits": DIGITS[0], "noise": 0.0}
        rows, gaps = [], []
        for draw in range(900, 904):
            # One permutation for both sizes: the test rows are those after the larger training set.
            good, truth = stored(asked.records, f"power-{more}-{test}-{draw}", base | {"train": more}, 12, draw)
            poor = _fewer(asked, base, less, more, test, draw)
            arms = records(good, truth), records(poor, truth)
            accuracy = [np.mean([(r.columns["truth"] == r.columns["prediction"]).mean() for r in arm]) for arm in arms]
            gaps.append(accuracy[0] - accuracy[1])
            for start in range(0, 12, 3):
                both = [arm[start : start + 3] for arm in arms]
                rows.append(statistics.difference(TASK, *both, {}, seed=draw).verdict)
        helps, hurts = (np.mean([row == v for row in rows]) for v in ("transfer-helps", "negative-transfer"))
        print(
            f"power: true difference {np.mean(gaps):.3f}, n = {test}: transfer-helps {helps:.2f}, "
            f"negative {hurts:.2f} of {len(rows)}"
        )


def _fewer(asked: argparse.Namespace, base: dict, less: int, more: int, test: int, draw: int) -> np.ndarray:
    setting = base | {"train": less, "skip": more - less}
    return stored(asked.records, f"power-{less}-of-{more}-{test}-{draw}", setting, 12, draw)[0]


if __name__ == "__main__":
    main()
