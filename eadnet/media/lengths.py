"""How long a result is, and which moment of the source each of its frames shows, when audio and video last
differently long.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..errors import InputError, no_such
from .audio import num_frames

LENGTH_MODES = ("bounce", "loop", "hold", "cut_off", "silence")


@dataclass(frozen=True)
class Length:
    """``frames`` of the result; frame i shows the source's moment `at(i)`, in frames of the result's rate.

    bounce     as long as the audio; a shorter video plays forwards and backwards in turn
    loop       as long as the audio; a shorter video starts again
    hold       as long as the audio; a shorter video stops at its last frame
    cut_off    as long as the shorter of the two
    silence    as long as the longer of the two: the audio is followed by silence, a shorter video bounces
    """

    frames: int
    available: int
    mode: str

    def at(self, frame: int) -> int:
        """Which of the ``available`` frames of the source frame number ``frame`` of the result shows."""
        last = self.available - 1
        if self.mode == "loop":
            return frame % self.available
        if self.mode in ("hold", "cut_off") or last == 0:
            return min(frame, last)
        place = frame % (2 * last)
        return min(place, 2 * last - place)


def choose_length(mode: str, seconds: float, fps: Fraction | float, available: int | None = None) -> Length:
    """The length of a result from ``seconds`` of audio and ``available`` frames of video (None: a portrait).

    Raises InputError for an unknown mode, and when not a single frame would come out.
    """
    if mode not in LENGTH_MODES:
        raise InputError(no_such("length", mode, LENGTH_MODES))
    heard = num_frames(seconds, fps)
    if available is None:
        frames, available = heard, 1
    elif mode == "cut_off":
        frames = min(heard, available)
    elif mode == "silence":
        frames = max(heard, available)
    else:
        frames = heard
    if frames < 1:
        raise InputError("The audio is shorter than half a frame: use longer audio.")
    return Length(frames, available, mode)
