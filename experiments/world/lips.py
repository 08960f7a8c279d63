"""Do the lips close where p, b and m are spoken, and how wide is the mouth?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from eadnet.synthetic.speech import Phoneme
from eadnet.synthetic.visemes import BILABIALS

# Gap of the inner lips over the distance of the eyes: little more than a pixel of a 128-pixel picture.
CLOSED = 0.04
_MOUTH_CORNERS = (48, 54)


@dataclass(frozen=True)
class Stretch:
    """Frames `first` up to and without `last`."""

    first: int
    last: int


def stretches(sounds: Sequence[Phoneme], frames: int, fps: float) -> list[Stretch]:
    """The frames in which each sound is heard, at least one; sounds cut by the clip's ends are left out."""
    found = []
    for sound in sounds:
        first = math.floor(sound.start * fps)
        last = max(first + 1, math.ceil(sound.end * fps))
        if sound.start >= 0 and last <= frames:
            found.append(Stretch(first, last))
    return found


def closures(phonemes: Sequence[Phoneme], frames: int, fps: float) -> list[Stretch]:
    """Where p, b and m shut the lips."""
    return stretches([p for p in phonemes if p.name[0] in BILABIALS], frames, fps)


def open_vowels(phonemes: Sequence[Phoneme], frames: int, fps: float) -> list[Stretch]:
    """The middle frames of stressed vowels, where lips are open: the control of a mouth that stays shut."""
    middles = [(p.start + p.end) / 2 for p in phonemes if p.stress == 2]
    return [Stretch(int(m * fps), int(m * fps) + 1) for m in middles if 0 <= m * fps < frames]


def share_closed(openings: Tensor, where: Sequence[Stretch]) -> float:
    """In which share of the stretches the smallest opening [T] counts as shut; NaN without any."""
    shut = [float(openings[s.first : s.last].min()) <= CLOSED for s in where if s.last <= len(openings)]
    return sum(shut) / len(shut) if shut else math.nan


def mouth_width(landmarks: Tensor) -> Tensor:
    """Distance of the mouth's corners over that of the eyes' centres, landmarks [T, 68, 2] -> [T]."""
    left, right = _MOUTH_CORNERS
    eyes = landmarks[:, 42:48].mean(1) - landmarks[:, 36:42].mean(1)
    return (landmarks[:, right] - landmarks[:, left]).norm(dim=-1) / eyes.norm(dim=-1).clamp(min=1e-6)
