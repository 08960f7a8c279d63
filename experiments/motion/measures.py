"""Numbers of tracks beside the tracks that drawn performers would show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eadnet.rig.expression import INDEX
from eadnet.rig.track import GROUPS, Track

Array = NDArray[np.floating]
Drive = Callable[[Tensor, str, int, int], Track]
"""A waveform [S] at 16 kHz, a sentence, a number of frames and a seed -> a track at 25 frames a second."""

EMOTION = [INDEX[name] for name in GROUPS["emotion"]]
_SHUT, _OPEN = 0.9, 0.1  # of lip_close, in the truth
_VARIES = 0.03
_LAGS = range(-5, 6)


@dataclass(frozen=True)
class Case:
    """A held-out recording, what its speaker would show with a sentence, the sentence's face [P], and the
    name of the emotion that is nearest to it.
    """

    waveform: Tensor
    text: str
    truth: Array
    face: Array
    emotion: str = ""


def opening(params: Array) -> Array:
    """How far the lips are apart [T], as the jaw and the closing lips make it."""
    opened: Array = params[:, INDEX["jaw_open"]] * (1 - params[:, INDEX["lip_close"]])
    return opened


def correlation(a: Array, b: Array) -> float:
    """Pearson's r; 0 where one does not move."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-9 else 0.0


def mouth_r(made: Sequence[Array], cases: Sequence[Case]) -> list[float]:
    """r of the opening, case by case."""
    return [correlation(opening(m), opening(c.truth)) for m, c in zip(made, cases, strict=True)]


def best_lag(made: Sequence[Array], cases: Sequence[Case]) -> int:
    """The lag in frames at which made mouths agree best with the true ones; positive: they come late."""

    def at(lag: int) -> float:
        pairs = (
            (opening(m)[max(lag, 0) :], opening(c.truth)[max(-lag, 0) :])
            for m, c in zip(made, cases, strict=True)
        )
        return float(np.mean([correlation(a[: len(b)], b[: len(a)]) for a, b in pairs]))

    return max(_LAGS, key=at)


def lips_shut(made: Sequence[Array], cases: Sequence[Case]) -> tuple[float, float]:
    """Of moments in which the truth's lips are shut, the share in which they are at least half shut here; and
    the same of moments in which the truth's are open.
    """
    close = INDEX["lip_close"]
    found = np.concatenate([m[:, close] for m in made])
    true = np.concatenate([c.truth[:, close] for c in cases])
    half = found >= 0.5
    return float(half[true >= _SHUT].mean()), float(half[true <= _OPEN].mean())


def expression_r(made: Sequence[Array], faces: Sequence[Array]) -> float:
    """r over cases of each parameter of emotion, its mean over the recording against the sentence's face; the
    mean over the parameters that vary.
    """
    found = np.stack([m.mean(0) for m in made])[:, EMOTION]
    wanted = np.stack(list(faces))[:, EMOTION]
    varied = wanted.std(0) > _VARIES
    return float(np.mean([correlation(found[:, k], wanted[:, k]) for k in np.flatnonzero(varied)]))


def followed(made: Sequence[Array], shown: Sequence[Array], others: Sequence[Array]) -> float:
    """The share of recordings whose mean face is nearer to the face of the sentence they were made with than
    to the other one's, of pairs that differ.
    """
    hits = []
    for m, own, other in zip(made, shown, others, strict=True):
        if np.abs(own[EMOTION] - other[EMOTION]).max() > 0.3:
            mean = m.mean(0)[EMOTION]
            hits.append(np.square(mean - own[EMOTION]).sum() < np.square(mean - other[EMOTION]).sum())
    return float(np.mean(hits))


@dataclass(frozen=True)
class Living:
    """Blinks a minute and their mean depth; the spread of gaze and head within a recording."""

    blinks: float
    depth: float
    gaze: float
    yaw: float
    pitch: float

    @classmethod
    def of(cls, tracks: Sequence[Array], fps: float = 25.0) -> Living:
        lids = [t[:, [INDEX["blink_l"], INDEX["blink_r"]]].mean(1) for t in tracks]
        count, depths = 0, []
        for lid in lids:
            shut = np.concatenate([[False], lid > 0.4, [False]])
            starts, stops = np.flatnonzero(~shut[:-1] & shut[1:]), np.flatnonzero(shut[:-1] & ~shut[1:])
            count += len(starts)
            depths += [lid[a:b].max() for a, b in zip(starts, stops, strict=True)]
        minutes = sum(map(len, tracks)) / fps / 60

        def spread(name: str) -> float:
            return float(np.mean([t[:, INDEX[name]].std() for t in tracks]))

        depth = float(np.mean(depths)) if depths else 0.0
        return cls(count / minutes, depth, spread("gaze_x"), spread("head_yaw"), spread("head_pitch"))
