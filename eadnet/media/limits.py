"""What a file's header may say about its pictures and its sound, judged before any memory is made.

A header's numbers are only bits, and one flipped bit in a rate of 16 kHz makes a gigahertz of it: resampling
that took 8 GB and a minute. Every reader asks here, with what the file states and again with what a decoder
gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..errors import InputError

RATES = (1_000, 768_000)
"""Samples per second: telephones have 8,000, the finest studio recordings 768,000."""

MOST_CHANNELS = 64
LONGEST_SIDE = 16_384
"""Pixels of a video's or a picture's side."""

MOST_PIXELS = 1 << 27
"""Pixels of one picture: 8K video has a quarter of them."""

FRAME_RATES = (Fraction(1, 3600), Fraction(1000))
"""Frames per second: from a picture an hour to slow motion."""

LONGEST = 7 * 24 * 3600.0
"""Seconds of a recording or a video."""


def check_rate(rate: float, where: str) -> int:
    """Samples per second as a whole number. Raises InputError for what no recording has."""
    low, high = RATES
    if not low <= rate <= high or int(rate) != rate:
        raise InputError(
            f"{where} has a sample rate of {_number(rate)} samples per second: export it again with a whole "
            f"number from {low} to {high}."
        )
    return int(rate)


def check_channels(channels: int, where: str) -> None:
    """Raise InputError for a number of sound channels that no recording has."""
    if not 1 <= channels <= MOST_CHANNELS:
        raise InputError(
            f"{where} states {_number(channels)} channels: use a recording with 1 to {MOST_CHANNELS}."
        )


def check_picture_size(size: Sequence[int], where: str) -> None:
    """Raise InputError for pictures (width, height) that memory is not made for."""
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{where} states pictures of {width} x {height} pixels: convert it again.")
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise InputError(
            f"{where} states pictures of {_number(width)} x {_number(height)} pixels: scale it down to at "
            f"most {LONGEST_SIDE} a side and {MOST_PIXELS // 10**6} million in all."
        )


def check_frame_rate(fps: Fraction | float, where: str) -> None:
    """Raise InputError for a frame rate that no video has."""
    low, high = FRAME_RATES
    if not low <= fps <= high:
        raise InputError(
            f"{where} states {_number(fps)} frames per second: convert it with a rate of at most {high}."
        )


def check_seconds(seconds: float, where: str) -> None:
    """Raise InputError for a length that no file has."""
    if not seconds <= LONGEST:
        raise InputError(
            f"{where} states a length of {_number(seconds)} seconds: cut it to at most a week, or convert it "
            "again."
        )


def _number(value: Fraction | float) -> str:
    """A number of any size for a message."""
    try:
        return f"{float(value):.10g}"
    except OverflowError:
        return "a number too large to be"
