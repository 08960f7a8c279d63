"""What goes from stage to stage: a clip that knows more and more of itself, or a rejection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..faces.face_track import FaceTrack
from ..faces.landmarker import LandmarkedFace
from ..media.reader import Pictures
from ..media.speech import Speech

FPS = 25
SAMPLES = 640  # of sound to a frame


@dataclass(frozen=True)
class Rejection:
    """Why something is not in the set: at which stage, a reason to read, and what was measured there."""

    stage: str
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A video file of a data set.

    id       of letters, digits, hyphens and underscores; unique in the set and always the same for this name
    path     the video
    name     the path in the data set, as it is shown
    speaker, split, emotion, level, view: what the layout says; "" and None where it says nothing
    sound    a recording beside the video; None: the video's own
    spans    (start, end) in seconds that are taken; none: all
    """

    id: str
    path: Path
    name: str
    speaker: str
    split: str
    emotion: str = ""
    level: int | None = None
    view: str = ""
    sound: Path | None = None
    spans: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Clip:
    """A segment of one shot.

    first, frames  where it is in its source, in frames of 1/25 s
    pictures       its own frames at 25 fps
    speech         the source's whole sound, 16 kHz mono
    faces          [T], what the landmarker saw
    track          its way through the frames
    crops          uint8 [T, R, R, 3]
    sync_crops     uint8 [T, r, r, 3], as the SyncNet takes them
    sound          float32 [640 T], in time with the lips
    tensors        what is kept beside the crops
    facts          what was measured, for the manifest
    """

    id: str
    source: Source
    first: int
    frames: int
    pictures: Pictures
    speech: Speech
    faces: tuple[LandmarkedFace | None, ...] = ()
    track: FaceTrack | None = None
    crops: np.ndarray | None = None
    sync_crops: np.ndarray | None = None
    sound: np.ndarray | None = None
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def knowing(self, facts: dict[str, Any], **more: Any) -> Clip:
        """The same with more facts, and other fields."""
        return replace(self, facts=self.facts | facts, **more)


class At25:
    """A part of some pictures, as a player shows them at 25 fps: number k at k / 25 s."""

    fps = Fraction(FPS)

    def __init__(self, pictures: Pictures, first: int = 0, count: int | None = None) -> None:
        self._pictures, self._first = pictures, first
        whole = max(1, int(Fraction(pictures.count) / pictures.fps * FPS + Fraction(1, 2)))
        self.count = whole - first if count is None else count
        self.size, self.notes = pictures.size, pictures.notes

    def picture(self, number: int) -> np.ndarray:
        if not 0 <= number < self.count:
            raise IndexError(f"frame {number} of {self.count}")
        at = int((self._first + number) * self._pictures.fps / FPS)
        return self._pictures.picture(min(at, self._pictures.count - 1))
