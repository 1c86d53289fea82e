"""Learning curves as power laws: error(n) = a + b · n^-c, fitted by weighted least squares.

That the error of a trained network falls with the number of examples as a power law towards a floor is what has been
found over many tasks (Hestness et al., arXiv 1712.00409; Viering & Loog, arXiv 2103.10948, who also show where it
fails: a curve that is still at chance level, or one that turns, is none).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXPONENTS = np.linspace(0.025, 2.0, 80)


@dataclass(frozen=True)
class PowerLaw:
    """Curves of errors, one a draw: ``a`` >= 0 (the floor), ``b`` >= 0 and ``c`` in (0, 2], each (draws,)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    unit: float  # b is the error above the floor at this number of examples

    def error(self, n: np.ndarray) -> np.ndarray:
        """(draws, len(n)): the error with ``n`` examples."""
        share = np.asarray(n, dtype=float)[None, :] / self.unit
        return self.a[:, None] + self.b[:, None] * share ** -self.c[:, None]

    def reaches(self, error: np.ndarray) -> np.ndarray:
        """(draws,): the number of examples at which each curve comes down to ``error``; infinity where it never does.

        0 where the curve is flat at or below it.
        """
        above = error - self.a
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            n = self.unit * (above / self.b) ** (-1 / self.c)
        flat = self.b <= 1e-12
        return np.where(flat, np.where(above >= 0, 0.0, np.inf), np.where(above <= 0, np.inf, n))


def fit(n: np.ndarray, error: np.ndarray, weights: np.ndarray) -> PowerLaw:
    """Fit one curve to each column of ``error`` (sizes, draws) at ``n`` examples (sizes,).

    ``weights`` (sizes,) are one over the variances. For a given exponent the best floor and factor are those of a
    straight line in n^-c, in closed form with both kept from falling below 0; the exponent is tried on a grid.
    """
    n, error, w = np.asarray(n, float), np.asarray(error, float), np.asarray(weights, float)[:, None]
    w = w / w.sum()
    unit = float(n[-1])
    best = np.full(error.shape[1], np.inf)
    found = np.zeros((3, error.shape[1]))
    mean = (w * error).sum(axis=0)
    for exponent in EXPONENTS:
        x = ((n / unit) ** -exponent)[:, None]
        x_mean = float((w * x).sum())
        b = (w * (x - x_mean) * (error - mean)).sum(axis=0) / (w * (x - x_mean) ** 2).sum()
        a = mean - b * x_mean
        through_zero = a < 0
        b = np.where(through_zero, (w * x * error).sum(axis=0) / (w * x * x).sum(), b)
        a = np.where(through_zero, 0.0, a)
        rising = b < 0
        a, b = np.where(rising, mean, a), np.where(rising, 0.0, b)
        loss = (w * (error - a - b * x) ** 2).sum(axis=0)
        better = loss < best - 1e-15
        best = np.where(better, loss, best)
        found = np.where(better, np.stack([a, b, np.full_like(a, exponent)]), found)
    return PowerLaw(found[0], found[1], found[2], unit)


def falling(error: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The falling curve nearest to each column of ``error`` (sizes, draws): isotonic regression, by its min-max form
    (Robertson, Wright & Dykstra 1988, theorem 1.4.4)."""
    sums = np.concatenate([np.zeros((1, error.shape[1])), np.cumsum(weights[:, None] * error, axis=0)])
    mass = np.concatenate([[0.0], np.cumsum(weights)])
    out = np.empty_like(error)
    count = len(error)
    for i in range(count):
        least = np.full(error.shape[1], np.inf)
        for j in range(i + 1):
            means = [(sums[k + 1] - sums[j]) / (mass[k + 1] - mass[j]) for k in range(i, count)]
            least = np.minimum(least, np.max(means, axis=0))
        out[i] = least
    return out


def crosses(n: np.ndarray, curve: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(draws,): where each falling ``curve`` (sizes, draws) first comes down to ``error``, straight in log n between
    its points. ``n[0]`` where it begins there; infinity where it does not come down to it.
    """
    logs = np.log(np.asarray(n, float))
    out = np.where(curve[-1] <= error, logs[-1], np.inf)
    for i in range(len(logs) - 1, 0, -1):
        above, below = curve[i - 1], curve[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            at = logs[i - 1] + (above - error) / (above - below) * (logs[i] - logs[i - 1])
        out = np.where((above > error) & (below <= error), at, out)
    return np.exp(np.where(curve[0] <= error, logs[0], out))
