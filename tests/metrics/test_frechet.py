"""Fréchet distance against closed forms and scipy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import torch

from eadnet.errors import InputError
from eadnet.metrics.frechet import Gaussian, distance_of, frechet_distance


def gaussian(features: np.ndarray, batch: int = 1000) -> Gaussian:
    result = Gaussian(features.shape[1])
    for start in range(0, len(features), batch):
        result.add(torch.from_numpy(features[start : start + batch]))
    return result


def test_batches_add_up_to_numpys_mean_and_covariance():
    features = np.random.default_rng(0).normal(5, 3, (501, 6)) @ np.diag([1, 2, 3, 4, 5, 1e-3])
    for batch in (1, 7, 501):
        result = gaussian(features, batch)
        np.testing.assert_allclose(result.mean, features.mean(0), rtol=1e-12)
        np.testing.assert_allclose(result.covariance, np.cov(features.T), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5, 4.0])
def test_independent_columns_have_a_closed_form(shift):
    a, b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 0.25])
    expected = 3 * shift**2 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    got = distance_of(np.zeros(3), np.diag(a), np.full(3, shift), np.diag(b))
    assert got == pytest.approx(expected, rel=1e-9)


def test_any_covariances_agree_with_scipy():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, 8, 8))
    a, b, m = x @ x.T, y @ y.T, random.normal(size=8)
    expected = m @ m + np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert distance_of(m, a, np.zeros(8), b) == pytest.approx(expected, rel=1e-6)


def test_samples_of_known_gaussians_come_within_one_percent():
    random = np.random.default_rng(2)
    a = random.normal(0, 1, (200_000, 4))
    b = random.normal(0, 1, (200_000, 4)) * [1, 2, 3, 0.5] + [1, 0, -2, 0.5]
    expected = (1 + 4 + 0.25) + (0 + 1 + 4 + 0.25)
    assert frechet_distance(gaussian(a), gaussian(b)) == pytest.approx(expected, rel=0.01)


def test_a_set_is_at_no_distance_from_itself_even_with_fewer_samples_than_columns():
    few = np.random.default_rng(3).normal(size=(20, 64))
    assert frechet_distance(gaussian(few), gaussian(few)) < 1e-3
    many = np.random.default_rng(3).normal(size=(500, 64))
    assert frechet_distance(gaussian(many), gaussian(many)) < 1e-9


def test_more_noise_and_more_shift_are_farther():
    random = np.random.default_rng(4)
    base, noise = random.normal(size=(2, 2000, 5))
    for damaged in ([base + s * noise for s in (0.1, 0.3, 1)], [base + s for s in (0.1, 0.3, 1)]):
        values = [frechet_distance(gaussian(base), gaussian(x)) for x in damaged]
        assert values == sorted(values) and values[0] > 0


def test_what_makes_no_gaussian_is_refused():
    with pytest.raises(InputError, match="two"):
        _ = gaussian(np.zeros((1, 3))).covariance
    with pytest.raises(InputError, match="columns"):
        Gaussian(3).add(torch.zeros(2, 4))
    with pytest.raises(InputError, match="finite"):
        Gaussian(2).add(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(InputError, match="wide"):
        distance_of(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))
