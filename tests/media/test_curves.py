from __future__ import annotations

import numpy as np
import pytest

from eadnet.media.curves import curve_picture


@pytest.mark.parametrize(("frames", "sentences"), [(1, 1), (2, 3), (100, 8), (5000, 2)])
def test_curves_of_any_length_are_drawn(frames: int, sentences: int) -> None:
    weights = np.linspace(0, 1, frames)[:, None].repeat(sentences, 1)
    picture = curve_picture(weights, weights[:, 0], ["sad 😢 悲"] * sentences, 25)
    assert picture.shape == (320, 768, 3) and picture.dtype == np.float32
    assert 0 <= picture.min() and picture.max() <= 1


def test_a_high_strength_is_drawn_high() -> None:
    def height(value: float) -> float:
        picture = curve_picture(np.zeros((50, 1)), np.full(50, value), [""], 25)
        white = (picture[:, 60:300].min(-1) > 0.8).sum(1)
        return float((white * np.arange(320)).sum() / white.sum())

    assert height(0.9) < height(0.5) < height(0.1)
