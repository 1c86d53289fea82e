"""Does anything in the evidence tell where the usual advice is not the best? Judged on data sets never fitted on.

    python benchmarks/guidance/exceptions.py

The usual advice is linear probe, then fine-tune. From 15 measures of every cell of the grid, a ridge regression (its
strength chosen by leave-one-set-out within the training sets) and extremely randomised trees (Geurts et al. 2006) tell
by how much fine-tuning and feature extraction differ from it; the highest is advised. Printed: what each measure
correlates with, overall and within sets, the share of the variance that is explained on sets left out, and the regret
against the usual advice, with intervals over sets. Takes half a minute.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from regret import TRANSFER, by_set, cells, interval, lines, means
from sets import PICTURES
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

USUAL = "linear-probe-then-fine-tune"
OTHERS = tuple(name for name in TRANSFER if name != USUAL)
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)


def measures(cell, parts: dict[str, float]) -> dict[str, float]:
    result, count = cell.evidence.transferability, len(cell.evidence.n_per_class)
    chance = 1 / count
    headroom = (1 - result["probe"]["value"]) / (1 - chance)
    size = np.log2(cell.here.per_class)
    return {
        "examples a class, log2": size,
        "examples, log2": np.log2(cell.evidence.n_train),
        "classes, log2": np.log2(count),
        "headroom": headroom,
        "size x headroom": size * headroom,
        "neighbours above probe": result["neighbours"]["value"] - result["probe"]["value"],
        "log_me": result["log_me"],
        "h_score a class": result["h_score"] / (count - 1),
        "leep": (result["leep"] or 0.0) / np.log(count),
        "similarity": cell.evidence.similarity,
        "similarity x size": cell.evidence.similarity * size,
        "similarity x headroom": cell.evidence.similarity * headroom,
        **{name: parts.get(name, 0.0) for name in ("statistics", "head", "spread")},
    }


def leave_out(make: Callable, x: np.ndarray, y: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Predictions (n, 2) of each set by what was fitted on the others, measures standardised by them."""
    result = np.zeros_like(y)
    for name in np.unique(sets):
        rest = sets != name
        middle, spread = x[rest].mean(axis=0), x[rest].std(axis=0) + 1e-9
        model = make((x[rest] - middle) / spread, y[rest], sets[rest])
        result[~rest] = model.predict((x[~rest] - middle) / spread)
    return result


def ridge(x: np.ndarray, y: np.ndarray, sets: np.ndarray) -> Ridge:
    """Its strength by leave-one-set-out among the sets that it may see."""

    def error(strength: float) -> float:
        result = leave_out(lambda a, b, _: Ridge(alpha=strength).fit(a, b), x, y, sets)
        return float(((result - y) ** 2).mean())

    return Ridge(alpha=min(STRENGTHS, key=error)).fit(x, y)


def trees(x: np.ndarray, y: np.ndarray, _sets: np.ndarray) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(300, min_samples_leaf=4, random_state=0).fit(x, y)


def within(values: np.ndarray, sets: np.ndarray) -> np.ndarray:
    return values - np.array([values[sets == name].mean() for name in sets])


def correlation(a: np.ndarray, b: np.ndarray) -> str:
    return "–" if min(a.std(), b.std()) < 1e-9 else f"{np.corrcoef(a, b)[0, 1]:+.2f}"


def main() -> None:
    measured = lines(PICTURES, "evidence")
    parts = {(one["set"], one["size"], one["draw"], one["source"]): one["parts"] for one in measured}
    every = cells(PICTURES)
    result = [measures(c, parts[c.set, c.size, c.draw, c.source]) for c in every]
    x, sets = np.array([list(one.values()) for one in result]), np.array([c.set for c in every])
    y = np.array([[c.accuracy[name] - c.accuracy[USUAL] for name in OTHERS] for c in every])
    print(f"correlation with {' and '.join(OTHERS)} minus {USUAL}; in brackets within sets")
    for place, name in enumerate(result[0]):
        each = [
            f"{correlation(x[:, place], y[:, k])} ({correlation(within(x[:, place], sets), within(y[:, k], sets))})"
            for k in range(len(OTHERS))
        ]
        print(f"  {name:24s} {', '.join(each)}")
    groups: dict[tuple, list[int]] = {}
    for at, cell in enumerate(every):
        groups.setdefault(cell.place, []).append(at)
    names = sorted(set(sets))

    def lost(chosen: list[str]) -> np.ndarray:
        found = {}
        for place, rows in groups.items():
            reached = means([every[row] for row in rows])
            found[place] = 100 * (max(reached.values()) - np.mean([reached[chosen[row]] for row in rows]))
        return by_set(found, names)

    usual = lost([USUAL] * len(every))
    print(f"usual advice: regret {interval(usual)}")
    for title, make in (("ridge", ridge), ("trees", trees)):
        guess = leave_out(make, x, y, sets)
        explained = 1 - ((guess - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        chosen = [max((USUAL, *OTHERS), key={USUAL: 0.0, **dict(zip(OTHERS, row, strict=True))}.get) for row in guess]
        one = lost(chosen)
        shares = ", ".join(f"{100 * share:+.0f} %" for share in explained)
        print(
            f"{title}: explains {shares} of the variance on sets left out; advises "
            f"something else in {np.mean([c != USUAL for c in chosen]):.2f} of the cells; regret "
            f"{interval(one)}, minus that of the usual {interval(one - usual)}"
        )


if __name__ == "__main__":
    main()
