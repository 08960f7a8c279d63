from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.captions.loudness import speech_gain
from eadnet.errors import InputError

RATE = 16000


def noise(levels: list[float], seconds: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.cat([x * torch.randn(round(seconds * RATE), generator=generator) for x in levels])


def test_loud_speech_is_strong_and_quiet_speech_weak() -> None:
    gain = speech_gain(noise([0.01, 0.2]), RATE, 100, 25)
    assert gain[:30].max() < 0.2 and gain[70:].min() > 0.8
    assert (np.diff(gain[35:65]) >= -1e-9).all(), "one rise, no flutter"


def test_the_amount_mixes_with_full_strength() -> None:
    whole, half, none = (speech_gain(noise([0.01, 0.2]), RATE, 100, 25, a) for a in (1.0, 0.5, 0.0))
    assert np.allclose(half, 0.5 + 0.5 * whole) and np.allclose(none, 1)


def test_even_speech_keeps_its_strength_and_silence_has_none() -> None:
    assert speech_gain(noise([0.1, 0.1]), RATE, 100, 25).mean() > 0.4
    assert speech_gain(torch.full((64000,), 0.1), RATE, 100, 25).min() == 1
    assert speech_gain(torch.zeros(64000), RATE, 100, 25).max() == 0


@pytest.mark.parametrize("frames", [1, 3, 100, 400])
def test_any_number_of_frames(frames: int) -> None:
    gain = speech_gain(noise([0.05, 0.2]), RATE, frames, 25)
    assert gain.shape == (frames,) and (0 <= gain).all() and (gain <= 1).all()


def test_a_senseless_amount_is_refused() -> None:
    with pytest.raises(InputError):
        speech_gain(torch.zeros(10), RATE, 1, 25, 2.0)
