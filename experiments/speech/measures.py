"""How closely a mouth made from sound follows the speaker's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from eadnet.metrics.speech_fit import RIDGE, speech_features
from experiments.speech.clips import FPS, STEP, TalkingClip

Curve = NDArray[np.floating]
Driver = Callable[[Curve, int], Curve]
"""A waveform float32 [S] at 16 kHz and T frames -> how far the mouth is open in each, [T] at 25 frames a
second.
"""

MAX_LAG = 8  # frames to each side


@dataclass(frozen=True)
class Followed:
    """r of a clip with its own sound, and with that of another clip; the lag with the best r, in frames by
    which the person's mouth is later than the made one, and that r.
    """

    r: float
    mismatched: float
    lag: int
    best: float


def correlation(a: Curve, b: Curve) -> float:
    """Pearson's r over the frames that both have; 0 where one of them does not move."""
    length = min(len(a), len(b))
    a, b = np.asarray(a[:length], np.float64), np.asarray(b[:length], np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 1e-9 else 0.0


def lagged(own: Curve, made: Curve, lag: int) -> float:
    """r of the person's mouth ``lag`` frames after the made one's."""
    return correlation(own[max(lag, 0) :], made[max(-lag, 0) :])


def followed(clips: Sequence[TalkingClip], made: Sequence[Curve]) -> list[Followed]:
    """Of every clip, given what a driver makes of its sound; the next clip's of another speaker is the
    control.
    """
    results = []
    for index, (clip, curve) in enumerate(zip(clips, made, strict=True)):
        around = [*range(index + 1, len(clips)), *range(index)]
        other = next(made[k] for k in around if clips[k].speaker != clip.speaker)
        lags = {lag: lagged(clip.opening, curve, lag) for lag in range(-MAX_LAG, MAX_LAG + 1)}
        lag = max(lags, key=lambda k: lags[k])
        results.append(Followed(lags[0], correlation(clip.opening, other), lag, lags[lag]))
    return results


def driven(clips: Sequence[TalkingClip], driver: Driver) -> list[Curve]:
    """What a driver makes of the sound of every clip."""
    return [driver(clip.waveform, len(clip)) for clip in clips]


def loudness(waveform: Curve, frames: int) -> Curve:
    """A driver without any idea of speech: the level in decibels, from 50 below the loudest frame up."""
    padded = np.pad(waveform, (0, max(0, frames * STEP - len(waveform))))[: frames * STEP]
    level = 20 * np.log10(np.sqrt(np.square(padded.reshape(frames, STEP), dtype=np.float64).mean(1)) + 1e-6)
    return np.maximum(level, level.max() - 50)


def ridge_curves(
    clips: Sequence[TalkingClip], sounds: Sequence[Curve], by: Callable[[TalkingClip], str]
) -> list[Curve]:
    """What a linear regression from log-mel (0.16 s to both sides) makes of each sound, fitted on the clips
    of
    all others: other clips (``by`` their name) or other speakers.
    """
    heard = [_features(sound, len(clip)) for clip, sound in zip(clips, sounds, strict=True)]
    fitted = [_features(clip.waveform, len(clip)) for clip in clips]
    curves: list[Curve] = []
    for clip, features in zip(clips, heard, strict=True):
        others = [k for k, other in enumerate(clips) if by(other) != by(clip)]
        curves.append(features @ _ridge([fitted[k] for k in others], [clips[k] for k in others]))
    return curves


def ridge_driver(clips: Sequence[TalkingClip]) -> Driver:
    """The same regression, fitted on all of the clips, for sounds of nobody among them."""
    weights = _ridge([_features(clip.waveform, len(clip)) for clip in clips], clips)
    return lambda waveform, frames: _features(waveform, frames) @ weights


def _ridge(features: Sequence[Curve], clips: Sequence[TalkingClip]) -> Curve:
    seen = [(clip.opening - clip.opening.mean()) / clip.opening.std() for clip in clips]
    gram = sum(heard.T @ heard for heard in features) + RIDGE * np.eye(features[0].shape[1])
    weights: Curve = np.linalg.solve(
        gram, sum(heard.T @ mouth for heard, mouth in zip(features, seen, strict=True))
    )
    return weights


def _features(waveform: Curve, frames: int) -> Curve:
    return speech_features(torch.from_numpy(np.asarray(waveform, np.float32)), frames, FPS).numpy()


def interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float, float]:
    """Median, and the 2.5th and 97.5th percentile of medians of clips drawn again with replacement."""
    rng = np.random.default_rng(0)
    sample = np.asarray(values, float)
    medians = np.median(sample[rng.integers(len(sample), size=(draws, len(sample)))], axis=1)
    low, high = np.percentile(medians, (2.5, 97.5))
    return float(np.median(sample)), float(low), float(high)


def noisy(waveform: Curve, decibels: float, seed: int) -> Curve:
    """The sound under pink noise, so many decibels below it."""
    from eadnet.synthetic.augment import add_noise

    return add_noise(np.asarray(waveform, np.float32), np.random.default_rng(seed), snr=decibels)


def telephone(waveform: Curve) -> Curve:
    """The sound in a telephone's band, 300 to 3400 Hz."""
    from eadnet.synthetic.augment import band_limit

    return band_limit(np.asarray(waveform, np.float32), 300.0, 3400.0)
