"""Speech is trimmed, split and measured where it is spoken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.training.data.prosody import energy, pitch, resampled, spoken_parts, trimmed

pytestmark = pytest.mark.slow  # importing librosa takes seconds, compiling for it more

RATE = 16000


def tone(hertz: float, seconds: float, amplitude: float = 0.3) -> torch.Tensor:
    return amplitude * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * RATE)) / RATE)


def said(*parts: float) -> torch.Tensor:
    """Tones of the given seconds; negative ones are pauses."""
    return torch.cat([tone(200, part) if part > 0 else torch.zeros(round(-part * RATE)) for part in parts])


def test_silence_at_both_ends_is_trimmed() -> None:
    sound, kept = trimmed(said(-0.5, 1.0, -0.3))
    assert abs(kept.start / RATE - 0.5) < 0.05 and abs(kept.stop / RATE - 1.5) < 0.05
    assert len(sound) == kept.stop - kept.start


def test_speech_is_split_at_its_pauses() -> None:
    parts = spoken_parts(said(-0.4, 0.6, -0.5, 0.8, -0.3, 0.5))
    edges = [(part.start / RATE, part.stop / RATE) for part in parts]
    assert np.allclose(edges, [(0.4, 1.0), (1.5, 2.3), (2.6, 3.1)], atol=0.05)


def test_of_silence_nothing_is_left() -> None:
    assert spoken_parts(torch.zeros(RATE)) == []
    assert trimmed(torch.zeros(RATE))[0].numel() == 0


@pytest.mark.parametrize("amplitude", [0.5, 0.05, 0.005])
def test_energy_is_the_level_in_decibels_of_full_scale(amplitude: float) -> None:
    level = energy(torch.cat([tone(200, 1.0, amplitude), torch.zeros(RATE)]), 25, 75)
    assert level[2:23] == pytest.approx(20 * math.log10(amplitude / math.sqrt(2)), abs=0.2)
    assert level[27:48] == pytest.approx(-100), "silence"
    assert level[52:] == pytest.approx(-100), "beyond the end"


@pytest.mark.parametrize("hertz", [90.0, 220.0, 400.0])
def test_pitch_is_that_of_the_voice_and_none_in_a_pause(hertz: float) -> None:
    voice = sum((tone(k * hertz, 0.8, 0.3 / k) for k in range(1, 6)), torch.zeros(round(0.8 * RATE)))
    found = pitch(torch.cat([voice, torch.zeros(RATE // 2)]), 25, 40)
    assert found.shape == (40,)
    assert found[2:17] == pytest.approx(hertz, rel=0.01)
    assert np.isnan(found[23:]).all()


def test_resampling_keeps_what_fits_and_removes_what_does_not() -> None:
    time = torch.arange(48000, dtype=torch.float64) / 48000
    kept = resampled(torch.sin(2 * math.pi * 7000 * time), 48000)
    expected = torch.sin(2 * math.pi * 7000 * torch.arange(RATE, dtype=torch.float64) / RATE)
    assert kept.shape == (RATE,) and (kept - expected)[4000:-4000].abs().max() < 1e-3
    removed = resampled(torch.sin(2 * math.pi * 9000 * time), 48000)
    assert removed[800:-800].abs().max() < 1e-4


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(InputError):
        resampled(torch.zeros(10), 0)
    with pytest.raises(InputError):
        energy(torch.zeros(RATE), 0.0, 1)
