"""What is generated from each held-out clip, and from which texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eadnet.synthetic.captions import LEVELS, Description, describe_emotion
from eadnet.synthetic.expression import EMOTIONS

SHORT = 16  # frames from which an emotion is read

TAKES: dict[str, str] = {
    "truth": "the true clip through the autoencoder: the ceiling, with the still portrait as a control",
    "text": "the calm portrait with the clip's own sound and text",
    "no_text": "the same without a text",
    "video_input": "the face regenerated inside the true clip",
    "swapped_text": "a held-out text of another emotion than the voice's, balanced over emotions and levels",
    "swapped_text_seen": "the same emotion and level in a phrasing of the training split",
    "no_audio": "the swapped text without sound",
    "target": "a true render of the face that the swapped text describes, through the autoencoder",
}
"""The takes of a clip by name."""


@dataclass(frozen=True)
class SwappedText:
    """Another emotion at one level, in words that training never saw and in words that it did."""

    emotion: str
    level: str
    held_out: Description
    seen: Description


def swapped_text(index: int, own: str) -> SwappedText:
    """The text that replaces that of clip `index`, whose voice and text have the emotion `own`.

    Emotions take turns from clip to clip and levels every eight clips; an emotion equal to `own` is passed
    over, so that only the text can tell the face.
    """
    names = list(EMOTIONS)
    emotion = names[index % len(names)]
    if emotion == own:
        emotion = names[(index + 3) % len(names)]
    level = list(LEVELS)[index // len(names) % len(LEVELS)]
    held_out, seen = (
        describe_emotion(emotion, level, np.random.default_rng([index, 17]), split)
        for split in ("test", "train")
    )
    return SwappedText(emotion, level, held_out, seen)


def level_of(intensity: float) -> str:
    """ "low", "medium" or "high", as the lexicon draws the line."""
    return "low" if intensity <= 0.5 else "medium" if intensity <= 0.8 else "high"
