"""Estimates of transferability against independent computations: by hand, by numeric search, by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from tlcore.guidance import linear_probe, transferability


def blobs(n, d, classes=3, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return (apart * rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d))).astype(np.float32), labels


@pytest.mark.parametrize(("n", "d"), [(40, 6), (12, 20)])
def test_log_me_is_the_maximum_of_the_evidence(n, d):
    """Bishop's evidence of Bayesian linear regression, written with its d x d determinant, maximised numerically."""
    from scipy.optimize import minimize

    f, labels = blobs(n, d)
    f64 = f.astype(np.float64)

    def minus_evidence(logs, y):
        alpha, beta = np.exp(logs)
        a = alpha * np.eye(d) + beta * f64.T @ f64
        m = beta * np.linalg.solve(a, f64.T @ y)
        error = beta / 2 * ((y - f64 @ m) ** 2).sum() + alpha / 2 * (m @ m)
        return (
            -(
                d / 2 * np.log(alpha)
                + n / 2 * np.log(beta)
                - error
                - 0.5 * np.linalg.slogdet(a)[1]
                - n / 2 * np.log(2 * np.pi)
            )
            / n
        )

    best = []
    for label in range(3):
        y = (labels == label).astype(float)
        how = {"method": "Nelder-Mead", "options": {"xatol": 1e-8, "fatol": 1e-12}}
        found = [minimize(minus_evidence, start, args=(y,), **how) for start in ((0.0, 0.0), (3.0, 2.0))]
        best.append(max(-one.fun for one in found))
    assert transferability.log_me(f, labels) == pytest.approx(np.mean(best), abs=1e-3)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (15, 30)])
def test_h_score_by_the_matrices_of_the_paper(n, d):
    from sklearn.covariance import LedoitWolf

    f, labels = blobs(n, d)
    x = f.astype(np.float64) - f.mean(axis=0)
    shrunk = LedoitWolf().fit(x)
    means = np.stack([x[labels == label].mean(axis=0) for label in labels])
    between = means.T @ means / (n - 1)
    result = np.trace(np.linalg.inv(shrunk.covariance_) @ between) * (1 - shrunk.shrinkage_)
    assert transferability.h_score(f, labels) == pytest.approx(result, rel=1e-4)


def test_leep_by_hand():
    """Two source classes, two labels: P(y|z) and the likelihoods are worked out on paper."""
    source = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    labels = np.array([0, 0, 1])
    given = {(0, 0): 1.6 / 1.8, (0, 1): 0.4 / 1.2, (1, 0): 0.2 / 1.8, (1, 1): 0.8 / 1.2}
    likelihood = [row[0] * given[y, 0] + row[1] * given[y, 1] for row, y in zip(source, labels, strict=True)]
    assert transferability.leep(source, labels) == pytest.approx(np.log(likelihood).mean())


def test_leep_of_a_source_that_says_nothing_is_the_entropy_of_the_labels():
    source = np.full((100, 7), 1 / 7)
    labels = np.repeat([0, 1], [25, 75])
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert transferability.leep(source, labels) == pytest.approx(-entropy)


def test_n_leep_tells_clusters_that_are_the_classes_from_those_that_are_not():
    f, labels = blobs(200, 10, apart=4.0)
    shuffled = np.random.default_rng(0).permutation(labels)
    good, bad = transferability.n_leep(f, labels), transferability.n_leep(f, shuffled)
    assert -0.05 < good <= 0
    assert bad < -0.8  # ln 3 is 1.1


def test_every_estimate_rises_as_the_classes_come_apart():
    result = []
    for apart in (0.0, 0.3, 0.8):
        f, labels = blobs(150, 12, apart=apart, seed=1)
        units = np.arange(150)
        fold = linear_probe.folds(labels, units)
        predicted = linear_probe.cross_validate(linear_probe.coordinates(f), labels, fold, 3, 12)
        result.append(transferability.estimate(f, labels, units, predicted, predicted, fold))
    for name in ("log_me", "h_score", "leep", "n_leep"):
        assert result[0][name] < result[1][name] < result[2][name], name
    for name in ("probe", "neighbours"):
        values = [one[name]["value"] for one in result]
        assert values[0] < values[1] < values[2]
        low, high = result[0][name]["interval"]
        assert low < 1 / 3 < high, "classes that are alike are told apart by chance alone"


def test_decompose_gives_back_the_matrix_either_way_up():
    for shape in ((7, 30), (30, 7)):
        x = np.random.default_rng(0).normal(size=shape)
        left, singular, rank = linear_probe.decompose(x)
        assert rank == 7
        np.testing.assert_allclose(singular, np.linalg.svd(x, compute_uv=False), rtol=1e-8)
        np.testing.assert_allclose(left @ np.diag(singular**2) @ left.T, x @ x.T, atol=1e-8)


def test_folds_keep_groups_whole_and_classes_even():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    labels = (units % 3).astype(int)
    fold = linear_probe.folds(labels, units)
    assert all(len(np.unique(fold[units == unit])) == 1 for unit in np.unique(units))
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 5, "no fold differs by more than one unit"
    alone = linear_probe.folds(np.array([0] * 23 + [1] * 10), np.arange(33))
    assert set(np.bincount(alone[:23])) <= {4, 5}
    assert set(np.bincount(alone[23:])) == {2}


def test_a_grouped_probe_does_not_profit_from_copies():
    """Noise with every example ten times over: only folds that tear groups apart would find the label again."""
    rng = np.random.default_rng(0)
    f = np.repeat(rng.normal(size=(30, 20)), 10, axis=0)
    labels = np.repeat(np.arange(30) % 2, 10)
    torn, kept = np.arange(300), np.repeat(np.arange(30), 10)
    x = linear_probe.coordinates(f)

    def accuracy(units):
        fold = linear_probe.folds(labels, units)
        return (linear_probe.cross_validate(x, labels, fold, 2, 20).argmax(axis=1) == labels).mean()

    assert accuracy(torn) > 0.8
    assert accuracy(kept) < 0.75


def test_the_interval_of_a_share_holds_what_it_says():
    """95 % intervals of 200 draws of a share, singly and in groups of five alike, hold the truth so often."""
    rng = np.random.default_rng(0)
    for size in (1, 5):
        held = 0
        for _ in range(200):
            hits = np.repeat(rng.random(60) < 0.8, size)
            low, high = linear_probe.share_interval(hits, np.repeat(np.arange(60), size))[1]
            held += low <= 0.8 <= high
        assert 0.9 <= held / 200 <= 1.0
    assert linear_probe.share_interval(np.ones(20), np.arange(20))[1][0] < 0.85, "twenty of twenty is not certainty"


def test_neighbours_vote():
    f = np.array([[1, 0], [1, 0.1], [1, -0.1], [0, 1], [0.1, 1], [-0.1, 1]], np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert (linear_probe.neighbours(f, labels, np.arange(6), k=2) == labels).all()
