"""Transferability: how well a source model's frozen features separate the target classes.

All estimates use numpy and scikit-learn on existing features of training and validation examples. Higher is better.
LogME: You et al. 2021, arXiv 2102.11005. H-score: Bao et al. 2019, covariance shrunk as in Ibrahim et al. 2021, arXiv
2110.06893. LEEP: Nguyen et al. 2020, arXiv 2002.12462. NLEEP: Li et al. 2021, arXiv 2011.11200.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tlcore.guidance import linear_probe

COMPONENTS = 5  # mixture components per class (NLEEP)
MOST_COMPONENTS = 100
ENERGY = 0.8  # share of the variance kept by NLEEP's principal components


def estimate(
    features: np.ndarray,
    labels: np.ndarray,
    units: np.ndarray,
    source: np.ndarray | None,
    predicted: np.ndarray,
    fold: np.ndarray,
    *,
    mixture: bool = True,
) -> dict[str, Any]:
    """All estimates for features (n, d) and labels (n,) in 0 … K - 1.

    ``source``: probabilities (n, Z) of the source's native head, or None. ``predicted``: probabilities (n, K) of the
    cross-validated probe. Without ``mixture`` NLEEP, the slowest, is skipped. Returns ``n``, ``probe`` and
    ``neighbours`` ({"value", "interval"} of an accuracy), ``log_me``, ``h_score``, ``leep`` (None without a native
    head) and ``n_leep``. An estimate that cannot be computed is None.
    """
    right = predicted.argmax(axis=1) == labels
    near = linear_probe.neighbours(features, labels, fold) == labels
    return {
        "n": len(labels),
        "probe": _accuracy(right, units),
        "neighbours": _accuracy(near, units),
        "log_me": _finite(log_me(features, labels)),
        "h_score": _finite(h_score(features, labels)),
        "leep": None if source is None else _finite(leep(source, labels)),
        "n_leep": _finite(n_leep(features, labels)) if mixture else None,
    }


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """LogME: the maximum log evidence of a Bayesian linear model on the features, per example and class.

    Solved by fixed-point iteration of (alpha, beta), for all classes at once. For n below d, the evidence is exact in
    the directions without variance (their terms cancel).
    """
    f = features.astype(np.float64)
    n = len(f)
    left, singular, _ = linear_probe.decompose(f)
    sigma = (singular**2)[:, None]
    target = np.eye(int(labels.max()) + 1)[labels][:, np.unique(labels)]
    x2 = (left.T @ target) ** 2
    outside = np.maximum((target**2).sum(axis=0) - x2.sum(axis=0), 0.0)
    alpha, beta = np.ones(target.shape[1]), np.ones(target.shape[1])
    for _ in range(100):
        ratio = alpha / beta
        gamma = (sigma / (sigma + ratio)).sum(axis=0)
        m2 = (sigma * x2 / (ratio + sigma) ** 2).sum(axis=0)
        residual = (x2 * (ratio / (ratio + sigma)) ** 2).sum(axis=0) + outside
        alpha, beta = gamma / (m2 + 1e-5), (n - gamma) / (residual + 1e-5)
        if np.all(np.abs(alpha / beta - ratio) <= 1e-3 * ratio):
            break
    ratio = alpha / beta
    m2 = (sigma * x2 / (ratio + sigma) ** 2).sum(axis=0)
    residual = (x2 * (ratio / (ratio + sigma)) ** 2).sum(axis=0) + outside
    evidence = (
        len(sigma) / 2 * np.log(alpha)
        + n / 2 * np.log(beta)
        - 0.5 * np.log(alpha + beta * sigma).sum(axis=0)
        - beta / 2 * residual
        - alpha / 2 * m2
        - n / 2 * np.log(2 * np.pi)
    )
    return float((evidence / n).mean())


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """H-score: the between-class share of the features' variance, in the metric of their shrunk covariance.

    tr(cov_shrunk^-1 (1 - a) cov_between) with the Ledoit-Wolf shrinkage a; between 0 and K - 1.
    """
    x = features.astype(np.float64) - features.mean(axis=0)
    n, d = x.shape
    left, singular, _ = linear_probe.decompose(x)
    variance = singular**2 / n
    mean = variance.sum() / d
    squares = (variance**2).sum()
    beta = (((x**2).sum(axis=1) ** 2).sum() / n - squares) / (d * n)
    delta = (squares - 2 * mean * variance.sum() + d * mean**2) / d
    shrink = min(beta, delta) / delta if delta > 0 else 0.0
    score = 0.0
    for label in np.unique(labels):
        mine = left[labels == label]
        projected = mine.mean(axis=0) * singular
        score += len(mine) / (n - 1) * (projected**2 / ((1 - shrink) * variance + shrink * mean)).sum()
    return float((1 - shrink) * score)


def leep(source: np.ndarray, labels: np.ndarray) -> float:
    """LEEP: mean log-likelihood of the labels predicted through the source's class probabilities (n, Z); at most 0."""
    label, index = np.unique(labels, return_inverse=True)
    joint = np.zeros((len(label), source.shape[1]))
    np.add.at(joint, index, source)
    given = joint / np.maximum(joint.sum(axis=0), 1e-300)
    return float(np.log(np.maximum((source * given[index]).sum(axis=1), 1e-300)).mean())


def n_leep(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> float | None:
    """NLEEP: LEEP through the components of a Gaussian mixture on the features' leading principal components.

    Five components per class, fewer if there are under four examples per component; diagonal covariances. None for
    fewer than two components.
    """
    from sklearn.mixture import GaussianMixture

    count = min(COMPONENTS * len(np.unique(labels)), MOST_COMPONENTS, len(labels) // 4)
    if count < 2:
        return None
    left, singular, _ = linear_probe.decompose(features.astype(np.float64) - features.mean(axis=0))
    keep = int(np.searchsorted(np.cumsum(singular**2) / (singular**2).sum(), ENERGY)) + 1
    x = left[:, :keep] * singular[:keep]
    x /= x[:, 0].std() or 1.0
    mixture = GaussianMixture(
        count, covariance_type="diag", reg_covar=1e-3, max_iter=50, tol=1e-2, random_state=seed, init_params="k-means++"
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 50 iterations suffice, converged or not
        return leep(mixture.fit(x).predict_proba(x), labels)


def _accuracy(right: np.ndarray, units: np.ndarray) -> dict[str, Any]:
    value, interval = linear_probe.share_interval(right, units)
    return {"value": value, "interval": interval}


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
