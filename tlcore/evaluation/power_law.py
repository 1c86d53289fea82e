"""Learning curves as power laws: error(n) = a + b · n^-c, fitted by weighted least squares.

For many tasks the error of a trained network falls with the number of examples as a power law towards a floor (Hestness
et al., arXiv 1712.00409; Viering & Loog, arXiv 2103.10948). The latter also show exceptions: a curve still at chance
level, or one that is not monotone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXPONENTS = np.linspace(0.025, 2.0, 80)


@dataclass(frozen=True)
class PowerLaw:
    """Error curves, one for each draw: ``a`` >= 0 (the floor), ``b`` >= 0 and ``c`` in (0, 2], each (draws,)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    unit: float  # b is the error above the floor at this number of examples

    def error(self, n: np.ndarray) -> np.ndarray:
        """The error with ``n`` examples, (draws, len(n))."""
        share = np.asarray(n, dtype=float)[None, :] / self.unit
        return self.a[:, None] + self.b[:, None] * share ** -self.c[:, None]

    def reaches(self, error: np.ndarray) -> np.ndarray:
        """The number of examples at which each curve falls to ``error``, (draws,).

        Infinity where it never does; 0 where the curve is flat at or below it.
        """
        above = error - self.a
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            n = self.unit * (above / self.b) ** (-1 / self.c)
        flat = self.b <= 1e-12
        return np.where(flat, np.where(above >= 0, 0.0, np.inf), np.where(above <= 0, np.inf, n))


def fit(n: np.ndarray, error: np.ndarray, weights: np.ndarray) -> PowerLaw:
    """Fit one curve to each column of ``error`` (sizes, draws) at ``n`` examples (sizes,).

    ``weights`` (sizes,) are inverse variances. For a given exponent floor and factor are a straight line in n^-c, in
    closed form, both constrained to be >= 0; the exponent comes from a grid.
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
    """The non-increasing curve closest to each column of ``error`` (sizes, draws).

    Isotonic regression by its min-max formula (Robertson, Wright & Dykstra 1988, theorem 1.4.4).
    """
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
    """Where each non-increasing ``curve`` (sizes, draws) first falls to ``error``, (draws,).

    Linear in log n between its points. ``n[0]`` where it starts at or below ``error``; infinity where it never reaches
    it.
    """
    logs = np.log(np.asarray(n, float))
    out = np.where(curve[-1] <= error, logs[-1], np.inf)
    for i in range(len(logs) - 1, 0, -1):
        above, below = curve[i - 1], curve[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            at = logs[i - 1] + (above - error) / (above - below) * (logs[i] - logs[i - 1])
        out = np.where((above > error) & (below <= error), at, out)
    return np.exp(np.where(curve[0] <= error, logs[0], out))
