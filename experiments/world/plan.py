"""What is generated from each held-out clip, and which sentences are asked of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eadnet.synthetic.captions import LEVELS, Description, describe_emotion
from eadnet.synthetic.expression import EMOTIONS

SHORT = 16  # frames from which an emotion is read

TAKES: dict[str, str] = {
    "truth": "the true clip through the autoencoder: the ceiling, with the still portrait as a control",
    "own": "the calm portrait with the clip's own sound and sentence",
    "plain": "the same without a sentence",
    "revoiced": "the face generated anew inside the true clip",
    "asked": "a held-out sentence of another emotion than the voice's, balanced over emotions and levels",
    "seen": "the same emotion and level in a phrasing of the training split",
    "deaf": "the held-out sentence without sound",
    "meant": "a true render of the held-out sentence's face, through the autoencoder",
}
"""The takes of a clip by name."""


@dataclass(frozen=True)
class Request:
    """One emotion at one level, in words that training never saw and in words that it did."""

    emotion: str
    level: str
    held_out: Description
    seen: Description


def request(index: int, spoken: str) -> Request:
    """What is asked of clip `index`, whose voice and caption have the emotion `spoken`.

    Emotions take turns from clip to clip and levels every eight clips; an emotion equal to `spoken` is passed
    over, so that only the sentence can tell the face.
    """
    names = list(EMOTIONS)
    emotion = names[index % len(names)]
    if emotion == spoken:
        emotion = names[(index + 3) % len(names)]
    level = list(LEVELS)[index // len(names) % len(LEVELS)]
    held_out, seen = (
        describe_emotion(emotion, level, np.random.default_rng([index, 17]), split)
        for split in ("test", "train")
    )
    return Request(emotion, level, held_out, seen)


def level_of(intensity: float) -> str:
    """ "low", "medium" or "high", as the lexicon draws the line."""
    return "low" if intensity <= 0.5 else "medium" if intensity <= 0.8 else "high"
