"""Emotion as a curve over time: lines of text to keyframes, keyframes to the tokens of every frame.

A line is a time in seconds, a sentence and, if its last part is a number, a strength:

    0.0 calm
    2.5 furious, brows lowered, 0.8

Each sentence holds until the next line; before the first line there is no emotion. The change is centred on
its line's time. Tokens are mixed between sentences, and strength is a mix with the tokens of the empty
sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..mixed_tokens import MixedTokens

EASES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "smooth": lambda x: x * x * (3 - 2 * x),
    "linear": lambda x: x,
    "slow start": lambda x: x * x,
    "slow end": lambda x: 1 - (1 - x) ** 2,
}
"""How a cross-fade goes from 0 to 1. The first two are half way at the line's time."""

_MOST_LINES = 1000
_MOST_PROBLEMS = 5  # that are told in full
# As many digits as a clip may need: longer numbers are none, and Python refuses some in words of its own.
_TIME = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}(?:\.\d{0,30})?|\.\d{1,30})s?")
_SURROGATE = re.compile("[\ud800-\udfff]")  # what is left of an emoji that was cut in two
_EXAMPLE = "write lines like '2.5 furious, brows lowered, 0.8'"


@dataclass(frozen=True)
class Key:
    """From `time` (seconds) on the face shows `text` with `strength` 0..1; `line` is where it was written."""

    time: float
    text: str
    strength: float = 1.0
    line: int = 0


def parse_timeline(text: str, duration: float | None = None) -> list[Key]:
    """Keyframes of a text, one per line; empty lines and lines that begin with # are skipped.

    ``duration`` is the clip's in seconds, where known. Raises InputError that names every bad line.
    """
    keys, problems = _read(text, duration)
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        last = [f"{more} more lines have errors."] if more > 0 else []
        raise InputError(" ".join(problems[:_MOST_PROBLEMS] + last))
    return keys


def _read(text: str, duration: float | None) -> tuple[list[Key], list[str]]:
    """The keyframes of the good lines, and a sentence for each of the bad ones."""
    keys: list[Key] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(keys) == _MOST_LINES:
            problems.append(f"Line {number}: the timeline has more than {_MOST_LINES} lines: use fewer.")
            break
        try:
            keys.append(_checked(_key(line.strip(), number), keys, duration))
        except InputError as error:
            problems.append(str(error))
    if not keys and not problems:
        problems.append(f"The timeline is empty: {_EXAMPLE}.")
    return keys, problems


def _checked(key: Key, before: Sequence[Key], duration: float | None) -> Key:
    if duration is not None and key.time >= duration:
        raise InputError(
            f"Line {key.line}: {key.time:g} s is beyond the clip, which ends at {duration:.2f} s: use an "
            "earlier time or longer audio."
        )
    if before and key.time <= before[-1].time:
        raise InputError(
            f"Line {key.line}: {key.time:g} s does not come after the {before[-1].time:g} s of line "
            f"{before[-1].line}: sort the lines by time."
        )
    return key


def _key(line: str, number: int) -> Key:
    if (half := _SURROGATE.search(line)) is not None:
        raise InputError(f"Line {number}: '{half[0]}' is half a character: delete it or type it again.")
    start, _, rest = line.partition(" ") if " " in line else line.partition("\t")
    match = _TIME.fullmatch(start.rstrip(":,;"))
    if match is None:
        if re.fullmatch(r"-\d.*", start):
            raise InputError(f"Line {number}: the time {_short(start)} is negative: the clip begins at 0.")
        raise InputError(f"Line {number}: '{_short(start)}' is not a time in seconds: {_EXAMPLE}.")
    time = 60 * int(match[1] or 0) + float(match[2])
    sentence, comma, last = rest.strip().rpartition(",")
    if not comma:
        sentence, last = ("", rest.strip()) if _number(rest.strip()) is not None else (rest.strip(), "")
    elif not re.match(r"[+-]?[.\d]|(?:nan|[+-]?inf)\b", last.strip(), re.IGNORECASE):
        sentence, last = rest.strip(), ""
    if not last:
        return Key(time, sentence, 1.0, number)
    strength = _number(last.strip())
    if strength is None:
        raise InputError(f"Line {number}: the strength '{_short(last.strip())}' is not a number: use 0 to 1.")
    if not 0 <= strength <= 1:
        raise InputError(
            f"Line {number}: the strength is {strength:g}: use 0 to 1, with a point for decimals (0.8)."
        )
    return Key(time, sentence.strip(), strength, number)


def _number(text: str) -> float | None:
    try:
        return float(text) if "_" not in text and len(text) < 100 else None
    except ValueError:
        return None


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


@dataclass(frozen=True)
class KeyWeights:
    """How much of which sentences every frame shows: never more than two, so that an hour of a thousand
    sentences takes no more memory than one of two.

    which  int32 [T, 2], the key before and the one that a frame shows, in their order; -1 where there is none
    share  float64 [T, 2], how much of each; what is missing to 1 is no emotion
    count  of the keys
    """

    which: np.ndarray
    share: np.ndarray
    count: int

    def __len__(self) -> int:
        return len(self.share)

    def dense(self, every: int = 1) -> np.ndarray:
        """One column for each key: float64 [T, K], of every so manieth frame."""
        which, share = self.which[::every], self.share[::every]
        made = np.zeros((len(share), self.count))
        rows, columns = np.nonzero(which >= 0)
        made[rows, which[rows, columns]] = share[rows, columns]
        return made

    def times(self, values: np.ndarray) -> np.ndarray:
        """The shares [T, 2], each times its key's value of ``values`` [K]."""
        return np.where(self.which >= 0, self.share * values[self.which], 0.0)


def key_weights(
    keys: Sequence[Key], frames: int, fps: float, cross_fade: float = 0.4, ease: str = "smooth"
) -> KeyWeights:
    """How much of each sentence every frame shows; what is missing to 1 is no emotion.

    A cross-fade of ``cross_fade`` seconds is centred on a key's time, and is shorter where keys are closer
    than that, so that at most two sentences are ever mixed. Raises InputError for senseless numbers.
    """
    if ease not in EASES:
        raise InputError(f"The ease '{ease}' is not known: use {', '.join(EASES)}.")
    if frames < 1 or not fps > 0 or not math.isfinite(fps):
        raise InputError(
            f"A clip of {frames} frames at {fps:g} per second is not possible: both must be positive."
        )
    if not 0 <= cross_fade <= 3600:
        raise InputError(f"The cross-fade is {cross_fade:g} s: use 0 (a cut) or more.")
    times = np.arange(frames) / fps
    marks = np.array([key.time for key in keys], float)
    before = np.diff(marks, prepend=-marks[0])  # to the first key as far as twice its time
    after = np.diff(marks, append=math.inf)
    half = np.minimum(np.minimum(before, after), cross_fade) / 2
    # A frame is shown from its time on: a cut falls on the first frame at or after the key.
    begins = np.where(half > 0, marks - half, marks - 1e-9)

    def rise(key: np.ndarray) -> np.ndarray:
        """How far each frame has come into a key; 0 where there is none."""
        at, width = begins[key], 2 * half[key]
        with np.errstate(divide="ignore", invalid="ignore"):
            linear = np.where(width > 0, (times - at) / width, (times >= at) * 1.0)
        return np.where(key >= 0, EASES[ease](np.clip(linear, 0, 1)), 0.0)

    now = np.searchsorted(begins, times, side="right") - 1
    last = np.maximum(now - 1, -1)
    into = rise(now)
    which = np.stack([last, now], axis=1).astype(np.int32)
    return KeyWeights(which, np.stack([rise(last) * (1 - into), into], axis=1), len(keys))


def frame_strength(keys: Sequence[Key], weights: KeyWeights) -> np.ndarray:
    """The strength of the emotion in every frame [T], from `key_weights`."""
    return weights.times(np.array([key.strength for key in keys])).sum(axis=1)


def blend(tokens: Tensor, null: Tensor, share: Tensor) -> Tensor:
    """Mix tokens with those of the null text, all frames at once.

    Args:
        tokens: [K, L, D] of K sentences.
        null: [L, D] of the empty one.
        share: [T, K], how much of each a frame shows; what is missing to 1 is the empty one's.

    Returns:
        [T, L, D]
    """
    return null + torch.einsum("tk,kld->tld", share.to(tokens.dtype), tokens - null)


def timeline_tokens(
    keys: Sequence[Key],
    weights: KeyWeights,
    tokens: Sequence[Tensor],
    null: Tensor,
    gain: np.ndarray | None = None,
) -> MixedTokens:
    """Emotion tokens of every frame [T, L, D] from those of K sentences [L, D] and of the empty one [L, D].

    ``gain`` [T] in 0..1 scales the strength (see `loudness`).
    """
    share = weights.times(np.array([key.strength for key in keys]))
    if gain is not None:
        share = share * gain[:, None]
    return MixedTokens.of(tokens, null, share, weights.which)


def same_length(encoded: Sequence[Tensor]) -> list[Tensor]:
    """Tokens [L, D] of several sentences, the shorter ones filled up with their own, so that they can be
    mixed.

    ComfyUI's CLIP gives long sentences more than one piece of 77 tokens.
    """
    longest = max(len(tokens) for tokens in encoded)
    return [
        tokens if len(tokens) == longest else tokens.repeat(-(-longest // len(tokens)), 1)[:longest]
        for tokens in encoded
    ]
