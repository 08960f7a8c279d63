"""A voice is measured as it was made."""

from __future__ import annotations

import math

import pytest
import torch

from eadnet.errors import InputError
from experiments.voices import measure, page

pytestmark = pytest.mark.slow  # importing librosa takes seconds

RATE = 16000


def voice(hertz: float, seconds: float, amplitude: float = 0.3) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE)) / RATE
    return sum((amplitude / k * torch.sin(2 * math.pi * k * hertz * time) for k in range(1, 6)), 0 * time)


def test_two_tones_an_octave_apart_with_a_pause_between_them() -> None:
    silence = torch.zeros(RATE)
    found = measure(torch.cat([silence, voice(110, 1.0), silence, voice(220, 1.0, 0.15), silence]))
    assert found.melody == pytest.approx(12, abs=0.5)
    assert found.level == pytest.approx(6, abs=1.5)
    assert found.pauses == pytest.approx(1 / 3, abs=0.04)
    assert found.stretch == pytest.approx(1.0, abs=0.1)


def test_where_nobody_speaks_there_is_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="Nobody speaks"):
        measure(torch.zeros(RATE))


def test_the_page_has_a_row_for_each_recording_and_for_both_groups() -> None:
    one = measure(voice(150, 1.0))
    rows = [line for line in page({"someone": one}, [one, one]).splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[1:]] == [
        "someone",
        "**1 people**",
        "**2 synthetic recordings**",
    ]
