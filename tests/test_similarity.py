"""Similarity: its distance by hand, its parts on data that are near and far, its intervals, its far end."""

from __future__ import annotations

import numpy as np
import pytest

from tlcore.guidance import similarity as s
from tlcore.tasks.image_classification.out_of_distribution import reference_pictures
from tlcore.training.features import Moments


def moments(mean, var, source_mean, source_var, layer, blocks=4, noise=0.0):
    rng = np.random.default_rng(0)
    mean = np.asarray(mean, float) + noise * rng.normal(size=(blocks, len(mean)))
    return Moments(
        mean,
        np.asarray(var) + mean**2,
        np.asarray(source_mean, float),
        np.asarray(source_var, float),
        np.asarray(layer),
    )


def test_distance_by_numeric_integration():
    """Bhattacharyya's distance is -ln of the integral of sqrt(p q); means over channels first, then over layers."""
    from scipy.integrate import quad
    from scipy.stats import norm

    mean, var, source_mean, source_var = [0.5, -1.0, 2.0], [1.0, 0.3, 4.0], [0.0, 0.0, 1.0], [1.0, 1.0, 2.0]

    def integral(m, v, n, w):
        return -np.log(quad(lambda x: np.sqrt(norm.pdf(x, m, v**0.5) * norm.pdf(x, n, w**0.5)), -30, 30)[0])

    each = [integral(*result) for result in zip(mean, var, source_mean, source_var, strict=True)]
    wanted = ((each[0] + each[1]) / 2 + each[2]) / 2
    assert s.distance(moments(mean, var, source_mean, source_var, [0, 0, 1])) == pytest.approx(wanted, abs=1e-4)
    assert s.distance(moments([1, 2], [3, 4], [1, 2], [3, 4], [0, 1])) == pytest.approx(0, abs=1e-9)


def test_participation_without_the_bias_of_few_examples():
    """Twenty even directions: 20, however few examples; the plain ratio of 25 examples would say about 11."""
    rng = np.random.default_rng(0)
    result = [s.participation(rng.normal(size=(25, 20)) @ np.eye(20, 64)) for _ in range(40)]
    assert np.median(result) == pytest.approx(20, rel=0.15)
    uneven = rng.normal(size=(3000, 3)) * np.sqrt([4.0, 2.0, 1.0])
    assert s.participation(uneven) == pytest.approx(49 / 21, rel=0.05)
    assert s.participation(np.ones((10, 4))) is None


def test_energy_and_confidence_of_logits():
    logits = np.array([[2.0, 0.0, -2.0], [1.0, 1.0, 1.0]])
    assert s.energies(logits)[0] == pytest.approx(np.log(np.exp([2, 0, -2]).sum()))
    assert s.energies(logits)[1] == pytest.approx(np.log(3))
    np.testing.assert_allclose(s.energies(logits + 50), s.energies(logits))
    assert s.confidence(logits) == pytest.approx((np.exp(2) / np.exp([2, 0, -2]).sum() + 1 / 3) / 2)


def test_near_data_score_high_and_far_data_score_low():
    rng = np.random.default_rng(0)
    far = {kind: {"statistics": 0.3, "head": 10.0, "spread": 4.0} for kind in ("noise", "drawn")}
    same = moments([0.0] * 6, [1.0] * 6, [0.0] * 6, [1.0] * 6, [0, 0, 0, 1, 1, 1], noise=0.01)
    wide = rng.normal(size=(120, 64))
    near = s.similarity(same, wide, np.eye(10)[rng.integers(0, 10, 120)] * 25, far)
    shifted = moments([1.5] * 6, [1.0] * 6, [0.0] * 6, [1.0] * 6, [0, 0, 0, 1, 1, 1], noise=0.01)
    narrow = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 64))
    away = s.similarity(shifted, narrow, rng.normal(size=(120, 10)), far)
    assert near.value > 0.95
    assert away.value < 0.15
    for result in (near, away):
        assert {part.id for part in result.parts} == {"statistics", "head", "spread"}
        assert result.value == pytest.approx(np.mean([part.value for part in result.parts]))
        for part in result.parts:
            assert 0 <= part.interval[0] <= part.value <= part.interval[1] <= 1


def test_parts_that_a_network_does_not_have_are_left_out():
    wide = np.random.default_rng(0).normal(size=(60, 30))
    result = s.similarity(None, wide, None, {"noise": {"spread": 3.0}})
    assert [part.id for part in result.parts] == ["spread"]
    assert s.similarity(None, wide, None, {}).value is None


def test_more_examples_narrow_the_interval():
    rng = np.random.default_rng(0)
    widths = []
    for n in (20, 200):
        logits = rng.normal(size=(n, 10)) * 6
        result = s.similarity(None, np.zeros((n, 4)), logits, {"noise": {"head": 7.0}})
        widths.append(result.interval[1] - result.interval[0])
    assert widths[1] < 0.6 * widths[0]


def test_pictures_made_by_code_are_the_same_every_time():
    one, two = reference_pictures(48), reference_pictures(48)
    for kind in ("noise", "drawn"):
        assert one[kind].shape == (24, 48, 48, 3)
        assert 0 <= one[kind].min() < one[kind].max() <= 1
        np.testing.assert_array_equal(one[kind], two[kind])
    assert len({picture.tobytes() for picture in one["drawn"]}) == 24
