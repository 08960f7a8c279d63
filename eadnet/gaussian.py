"""A Gaussian filter over a curve: `scipy.ndimage`'s to the last digit, without its second of imports."""

from __future__ import annotations

from typing import Literal

import numpy as np

_TRUNCATED = 4.0  # standard deviations to either side


def gaussian_smooth(
    curve: np.ndarray, width: float, edges: Literal["symmetric", "edge"] = "symmetric"
) -> np.ndarray:
    """``curve`` [T], float64, under a Gaussian with a standard deviation of ``width`` samples; beyond its
    ends it is mirrored ("symmetric") or goes on with its last value ("edge").
    """
    if not len(curve):
        return np.asarray(curve, float)
    reach = int(_TRUNCATED * width + 0.5)
    weights = np.exp(-0.5 / (width * width) * np.arange(-reach, reach + 1) ** 2)
    weights /= weights.sum()
    padded = np.pad(np.asarray(curve, float), reach, mode=edges)
    frames = len(curve)
    smoothed = padded[reach : reach + frames] * weights[reach]
    for away in range(reach, 0, -1):  # in the order of scipy's sums
        pair = padded[reach - away : reach - away + frames] + padded[reach + away : reach + away + frames]
        smoothed += pair * weights[reach - away]
    return smoothed
