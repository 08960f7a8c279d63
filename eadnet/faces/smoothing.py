"""Jitter of detected points taken out without delay.

Whittaker's smoother: the curve z that minimises Σ w (y - z)² + λ Σ (second difference of z)². It looks
forwards and backwards alike, so it has no lag; frames without a measurement have weight 0 and are bridged;
the ends are not pulled towards anything.
"""

from __future__ import annotations

import numpy as np

# For a head that is still, moves, and moves quickly: half of a motion of 1.1, 2.4 and 4.9 Hz passes at
# 25 frames per second.
STILL, MOVING, QUICK = 150.0, 8.0, 0.55
_OUTLIER = 4.0


def whittaker(values: np.ndarray, weights: np.ndarray, strength: float) -> np.ndarray:
    """Smooth columns [T, D] with weights [T] (0: not measured) -> [T, D] float64."""
    from scipy.linalg import solveh_banded  # not at the top: slow to import

    count = len(values)
    values = values.astype(np.float64)
    if count < 3 or strength <= 0:
        return values
    # Banded upper form of diag(w) + strength D'D, D the second difference.
    band = np.zeros((3, count))
    band[2] = weights + 1e-9
    for offset, factor in enumerate((1.0, -2.0, 1.0)):
        band[2, offset : count - 2 + offset] += strength * factor * factor
    band[1, 1:-1] += strength * -2.0
    band[1, 2:] += strength * -2.0
    band[0, 2:] += strength
    smoothed: np.ndarray = solveh_banded(band, weights[:, None] * values)
    return smoothed


def smooth_points(points: np.ndarray, measured: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Points [T, N, 2] of one shot -> smoothed [T, N, 2] float64; where ``measured`` [T] is False, bridged.

    A still head is smoothed much and a moving one little: wherever a smoother curve leaves a lighter one by
    more than the measurements' own noise, the lighter one counts. ``strength`` scales
    both; 0 only bridges the gaps, on straight lines.
    """
    count = len(points)
    flat = points.reshape(count, -1).astype(np.float64)
    if not measured.any():
        raise ValueError("a shot without a measurement cannot be smoothed")
    if strength <= 0 or measured.sum() < 3:
        return _bridged(flat, measured).reshape(points.shape)
    weights = measured.astype(np.float64)
    for _ in range(2):  # once more without the frames that lie far off
        light = whittaker(flat, weights, MOVING * strength)
        miss = np.abs(flat - light).mean(axis=1)
        limit = _OUTLIER * max(float(np.median(miss[measured])), 1e-3)
        weights = np.where(measured & (miss <= limit), 1.0, np.where(measured, limit / (miss + 1e-12), 0.0))
        weights = np.where(measured, np.minimum(weights, 1.0), 0.0)
    smoothed = whittaker(flat, weights, STILL * strength)
    for level, caution in ((MOVING, 1.0), (QUICK, 8.0)):  # the lighter curve has taken in more of the noise
        light = whittaker(flat, weights, level * strength)
        noise = caution * float(np.mean((flat - light)[measured] ** 2)) + 1e-9
        # How far the curves are apart, itself smoothed so that the choice between them does not flicker.
        apart = np.mean((light - smoothed) ** 2, axis=1)[:, None]
        apart = whittaker(apart, np.ones(count), STILL)[:, 0].clip(0)
        smoothed = smoothed + (apart / (apart + noise))[:, None] * (light - smoothed)
    return smoothed.reshape(points.shape)


def _bridged(flat: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Straight lines over the gaps; held before the first and after the last measurement."""
    at = np.flatnonzero(measured)
    every = np.arange(len(flat))
    return np.stack([np.interp(every, at, column[at]) for column in flat.T], axis=1)
