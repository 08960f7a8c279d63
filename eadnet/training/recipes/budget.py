"""Sizes and minutes of a recipe's stages."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...errors import InputError

MINUTES = (
    "autoencoder",
    "decoder",
    "regressor",
    "text",
    "audio",
    "denoiser",
    "smoother",
    "syncnet",
    "videomae",
)


@dataclass(frozen=True)
class Budget:
    """Sizes and minutes of the stages; clips and speech of training have seeds from `first_seed`.

    voices: other speakers who say every training clip.
    changing: share of clips whose emotion changes on the way.
    features: additional clips whose sentences name single features and no emotion.
    apart: additional clips of that kind with narrowed eyes or raised cheeks, never both.
    spoken: recordings of speech without pictures, for the audio encoder.
    """

    people: int = 2000
    clips: int = 1500
    held_out_clips: int = 96
    frames: int = 32
    spoken: int = 16000
    voices: int = 3
    changing: float = 0.1
    features: int = 0
    apart: int = 0
    first_seed: int = 0
    autoencoder: float = 35.0
    decoder: float = 14.0
    regressor: float = 6.0
    text: float = 5.0
    audio: float = 15.0
    denoiser: float = 70.0
    smoother: float = 3.0
    syncnet: float = 30.0
    videomae: float = 10.0


def within(budget: Budget, minutes: float, stages: tuple[str, ...] = MINUTES) -> Budget:
    """The budget with the minutes of `stages` scaled so that together they take `minutes`."""
    if not minutes > 0:
        raise InputError(f"The time limit is {minutes} minutes: give more than 0.")
    share = minutes / sum(getattr(budget, name) for name in stages)
    return dataclasses.replace(budget, **{name: share * getattr(budget, name) for name in stages})
