"""The strength of an emotion from how loudly it is spoken."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..gaussian import gaussian_smooth

_SILENCE = -60.0  # dBFS
_SMOOTHING = 0.25  # s, standard deviation: phrases, not syllables
_RANGE = (15.0, 95.0)  # percentiles of the frames that are spoken


def speech_gain(waveform: Tensor, rate: int, frames: int, fps: float, amount: float = 1.0) -> np.ndarray:
    """How strongly to show the emotion in every frame, float64 [frames] in 0..1.

    Loudness is the power around a frame in decibels, smoothed over a phrase; a recording's quiet speech is
    0, its loud speech 1, silence 0. ``amount`` mixes with 1: at 0 loudness has no say. A recording that is
    equally loud throughout gives 1.

    Args:
        waveform: [S] mono. Frames beyond its end are silent.
    """
    if not 0 <= amount <= 1:
        raise InputError(f"from_loudness is {amount:g}: use 0 (none) to 1.")
    return gain_of_power(frame_power(waveform, rate, frames, fps), fps, amount)


def frame_power(waveform: Tensor, rate: int, frames: int, fps: float) -> np.ndarray:
    """Mean square of the samples of every frame, float64 [frames]; beyond the end 0."""
    samples = waveform.detach().cpu().double().numpy().reshape(-1)
    edges = np.clip(np.round(np.arange(frames + 1) * rate / fps).astype(int), 0, len(samples))
    total = np.concatenate([[0.0], np.cumsum(samples * samples)])
    return (total[edges[1:]] - total[edges[:-1]]) / max(rate / fps, 1.0)


def gain_of_power(power: np.ndarray, fps: float, amount: float = 1.0) -> np.ndarray:
    """The gain of `speech_gain` from the power of every frame."""
    frames = len(power)
    power = np.maximum(gaussian_smooth(power, _SMOOTHING * fps, "edge"), 0)
    level = 10 * np.log10(power + 1e-12)
    spoken = level[level > max(_SILENCE, level.max() - 40)] if frames else level
    if len(spoken) == 0:
        return np.full(frames, 1.0 - amount)
    low, high = np.percentile(spoken, _RANGE)
    if high - low < 1.0:  # less than a decibel between quiet and loud
        share = (level >= low - 6).astype(float)
    else:
        share = np.clip((level - low) / (high - low), 0, 1)
    return 1 - amount + amount * share
