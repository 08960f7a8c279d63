"""A Gaussian filter that is scipy's to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from eadnet.gaussian import gaussian_smooth


@pytest.mark.parametrize("frames", [0, 1, 2, 7, 100, 501])
@pytest.mark.parametrize("width", [0.6, 2.5, 6.25, 30.0])
def test_it_is_scipys_to_the_last_digit(frames: int, width: float) -> None:
    curve = np.random.default_rng(frames).standard_normal(frames)
    assert np.array_equal(gaussian_smooth(curve, width), gaussian_filter1d(curve, width))
    near = gaussian_smooth(curve, width, "edge")
    assert np.array_equal(near, gaussian_filter1d(curve, width, mode="nearest"))
