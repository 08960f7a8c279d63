"""A rich description from an emotion and an intensity, without looking at anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np

from ..errors import InputError
from .base import Captioned
from .schema import EMOTIONS, ActionUnit, Description, prototypes
from .words import sentence


def describe(
    emotion: str,
    intensity: float = 0.7,
    seed: int = 0,
    features: int = 3,
    gaze: str = "ahead",
    head: str = "straight",
) -> Description:
    """The face of an emotion at an intensity 0..1, its action units varied a little by the seed.

    ``features`` is how many of them the caption names. Raises InputError for unknown words and numbers out of
    range.
    """
    if emotion not in EMOTIONS:
        raise InputError(f"The emotion '{emotion}' is not known: use {', '.join(EMOTIONS)}.")
    plain = Description(emotion, intensity)  # checks the intensity before it is used
    rng = Random(f"{emotion} {seed}")
    full = prototypes()[emotion]
    units = tuple(
        ActionUnit(u.number, u.side, round(min(1.0, u.strength * intensity * rng.uniform(0.85, 1.1)), 3))
        for u in full.action_units
    )
    description = replace(
        plain,
        valence=round(full.valence * intensity, 3),
        arousal=round(full.arousal * intensity, 3),
        action_units=tuple(u for u in units if u.strength > 0),
        gaze=gaze,
        head=head,
    )
    return replace(description, caption=sentence(description, seed, features))


class TemplateCaptioner:
    """One emotion for every clip: the label of a data set's folder, say. The frames are not looked at."""

    def __init__(self, emotion: str, intensity: float = 0.7, features: int = 3) -> None:
        self.emotion, self.intensity, self.features = emotion, intensity, features

    def describe(self, frames: Sequence[np.ndarray] = (), seed: int = 0) -> Captioned:
        return Captioned(describe(self.emotion, self.intensity, seed, self.features), "template")
