"""A light colouring of the voice by emotion, as in acted speech, drowned in each speaker's own variation.

Directions after Scherer (2003), "Vocal communication of emotion": joy, anger and fear raise pitch and rate,
sadness lowers them. The shifts are smaller than the spread between utterances, so the voice hints at an
emotion and never settles it: the description must be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Emotion -> (words a minute, pitch, pitch range) at full strength, in the units of `speech.speak`.
_SHIFTS: dict[str, tuple[float, float, float]] = {
    "happy": (6, 6, 12),
    "sad": (-14, -6, -12),
    "angry": (8, 4, 8),
    "fearful": (12, 8, 4),
    "disgusted": (-8, -4, -2),
    "surprised": (4, 8, 14),
    "contemptuous": (-8, -4, -6),
}
_SPREAD = (18.0, 14.0, 14.0)
_CENTRE = (168.0, 50.0, 50.0)


@dataclass(frozen=True)
class Prosody:
    """Settings for `speech.speak`."""

    rate: int
    pitch: int
    pitch_range: int


def prosody(mixture: Mapping[str, float], rng: np.random.Generator) -> Prosody:
    """How a person in this mixture of emotions (name -> strength 0..1) may speak today."""
    values = np.array(_CENTRE) + rng.standard_normal(3) * _SPREAD
    for emotion, strength in mixture.items():
        values += np.array(_SHIFTS.get(emotion, (0, 0, 0))) * strength
    rate, pitch, pitch_range = np.clip(values, (115, 10, 5), (235, 90, 95))
    return Prosody(int(rate), int(pitch), int(pitch_range))
