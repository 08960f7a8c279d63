"""Jitter goes, motion stays, nothing comes late."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.faces.smoothing import smooth_points, whittaker

SHAPE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float64)
ALL = np.ones(200, bool)


def moved(paths: np.ndarray) -> np.ndarray:
    """The five points along a path [T, 2]."""
    return SHAPE + paths[:, None]


def jitter(points: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.diff(points, 2, axis=0) ** 2)))


def noisy(points: np.ndarray, deviation: float = 0.5) -> np.ndarray:
    return points + np.random.default_rng(0).normal(0, deviation, points.shape)


def test_a_still_head_jitters_much_less() -> None:
    raw = noisy(moved(np.zeros((200, 2))))
    assert jitter(smooth_points(raw, ALL)) < jitter(raw) / 15


@pytest.mark.parametrize("hertz", [0.3, 1.0, 2.0])
def test_a_moving_head_is_followed_without_lag(hertz: float) -> None:
    time = np.arange(200) / 25
    path = np.stack([20 * np.sin(2 * np.pi * hertz * time), 6 * np.cos(2 * np.pi * hertz * time)], axis=1)
    truth = moved(path)
    result = smooth_points(noisy(truth), ALL)
    inner = slice(20, -20)
    errors: dict[float, float] = {}
    for lag in np.arange(-1.5, 1.51, 0.1).tolist():
        frames = np.arange(200) - lag
        shifted = np.interp(frames, np.arange(200), truth[:, 0, 0])
        errors[round(float(lag), 1)] = float(np.abs(result[inner, 0, 0] - shifted[inner]).mean())
    best: float = min(errors, key=errors.__getitem__)
    assert abs(best) <= 0.2
    noise = np.abs(noisy(truth) - truth).mean()
    assert np.abs(result - truth).mean() < max(noise, 0.03 * 20), "closer than the noise, or 3 % of the swing"


def test_a_straight_way_is_kept_to_its_ends() -> None:
    truth = moved(np.stack([np.arange(200) * 3.0, np.arange(200) * -1.0], axis=1))
    np.testing.assert_allclose(smooth_points(truth, ALL), truth, atol=1e-3)


def test_gaps_are_bridged() -> None:
    truth = moved(np.stack([np.arange(200) * 1.5, np.zeros(200)], axis=1))
    measured = ALL.copy()
    measured[90:101] = False
    given = truth.copy()
    given[~measured] = 0
    np.testing.assert_allclose(smooth_points(given, measured), truth, atol=0.05)
    np.testing.assert_allclose(smooth_points(given, measured, 0), truth, atol=1e-6)


def test_a_single_wild_detection_does_not_pull() -> None:
    truth = moved(np.zeros((200, 2)))
    raw = noisy(truth, 0.2)
    raw[100] += 40
    assert np.abs(smooth_points(raw, ALL)[98:103] - truth[98:103]).max() < 3


def test_strength_nought_takes_detections_as_they_are() -> None:
    raw = noisy(moved(np.zeros((50, 2))))
    np.testing.assert_array_equal(smooth_points(raw, ALL[:50], 0), raw)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_short_clips(count: int) -> None:
    raw = noisy(moved(np.zeros((count, 2))))
    result = smooth_points(raw, ALL[:count])
    assert result.shape == raw.shape and np.isfinite(result).all()


def test_whittaker_solves_its_own_equation() -> None:
    rng = np.random.default_rng(1)
    values, weights, strength = rng.normal(size=(9, 2)), rng.uniform(0, 1, 9), 3.0
    difference = np.diff(np.eye(9), 2, axis=0)
    expected = np.linalg.solve(
        np.diag(weights) + strength * difference.T @ difference, weights[:, None] * values
    )
    np.testing.assert_allclose(whittaker(values, weights, strength), expected, atol=1e-5)
