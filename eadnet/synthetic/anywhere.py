"""The same talk as it is heard in the world: rooms, microphones, music, others talking, codecs, level
controls.

Nothing moves a sound in time, so the mouth stays true to it. Wider than `augment`, which clips are drawn
with: this is for networks that are to hear any recording.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from .augment import RATE, Waveform, add_noise, band_limit, equalise, reverberate, set_level

_BLOCK = 160  # samples: levels are followed a hundred times a second


def anywhere(waveform: Waveform, rng: np.random.Generator, others: Sequence[Waveform] = ()) -> Waveform:
    """A random recording of ``waveform`` ([S], 16 kHz): same length, peak at most 1. Deterministic in
    ``rng``.

    ``others`` are recordings of other people who may be heard behind it.
    """
    sound = np.asarray(waveform, np.float32)
    if rng.random() < 0.35:
        sound = compress(sound, float(rng.uniform(0.1, 0.5)), seconds=float(rng.uniform(0.03, 0.3)))
    if rng.random() < 0.55:
        sound = reverberate(
            sound, rng, seconds=float(rng.uniform(0.08, 0.9)), wet=float(rng.uniform(0.03, 0.45))
        )
    if rng.random() < 0.8:
        sound = equalise(sound, rng, decibels=float(rng.uniform(2, 14)))
    if rng.random() < 0.75:
        sound = _with_background(sound, rng, others)
    draw = rng.random()
    if draw < 0.12:
        sound = band_limit(sound, low=300.0, high=3400.0)
    elif draw < 0.5:
        low, high = float(rng.choice([30.0, 80.0, 150.0, 250.0])), float(rng.uniform(3500, 9000))
        sound = band_limit(sound, low=low, high=high)
    if rng.random() < 0.15:
        sound = gate(sound, float(rng.uniform(15, 35)), float(rng.uniform(0.0, 0.3)))
    if rng.random() < 0.15:
        sound = compress(sound, float(rng.uniform(0.1, 0.6)), seconds=float(rng.uniform(0.05, 0.5)))
    sound = set_level(sound, float(rng.uniform(-32, -12)))
    if rng.random() < 0.1:
        sound = quantise(sound, int(rng.choice([16, 32, 64, 128])))
    return sound


def compress(waveform: Waveform, amount: float, seconds: float) -> Waveform:
    """An automatic level control: a level follower over ``seconds`` whose power -amount is the gain.

    Quiet parts gain at most 20 dB.
    """
    if not len(waveform):
        return waveform
    level = _level(waveform, seconds)
    gain = np.maximum(level / (level.max() + 1e-9), 1e-3) ** -amount
    return (waveform * np.minimum(gain, 10.0)).astype(np.float32)


def gate(waveform: Waveform, decibels: float, floor: float) -> Waveform:
    """A noise gate: what is ``decibels`` below the loud parts keeps a share ``floor`` of its amplitude."""
    if not len(waveform):
        return waveform
    level = _level(waveform, 0.03)
    threshold = np.percentile(level, 90) * 10 ** (-decibels / 20)
    opened = 1.0 / (1.0 + (threshold / np.maximum(level, 1e-9)) ** 4)
    return (waveform * (floor + (1 - floor) * opened)).astype(np.float32)


def quantise(waveform: Waveform, steps: int) -> Waveform:
    """The coarse steps of an old codec, finer where it is quiet (µ-law, ITU-T G.711, with ``steps``
    values).
    """
    mu = 255.0
    packed = np.sign(waveform) * np.log1p(mu * np.abs(waveform)) / np.log1p(mu)
    coarse = np.round(packed * steps / 2) / (steps / 2)
    return (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(mu)) / mu).astype(np.float32)


def music(samples: int, rng: np.random.Generator) -> Waveform:
    """Chords of decaying harmonics over a beat, [samples]."""
    time = np.arange(samples) / RATE
    beat = float(rng.uniform(0.25, 0.8))
    root = float(rng.uniform(55, 220))
    sound = np.zeros(samples)
    for start in np.arange(0.0, samples / RATE, beat):
        first = int(start * RATE)
        since = time[first : first + int(2 * RATE)] - start
        envelope = np.exp(-since / rng.uniform(0.15, 0.8))
        for interval in rng.choice([0, 3, 4, 5, 7, 9, 12], size=3, replace=False):
            pitch = root * 2 ** ((interval + 12 * rng.integers(0, 2)) / 12)
            for harmonic in range(1, 5):
                phase = rng.uniform(0, 2 * np.pi)
                tone = np.sin(2 * np.pi * pitch * harmonic * since + phase) / harmonic**1.3
                sound[first : first + len(since)] += envelope * tone
    return sound.astype(np.float32)


def mixed(waveform: Waveform, background: Waveform, decibels: float) -> Waveform:
    """``waveform`` over a background of any length so many decibels below it."""
    if not len(background):
        return waveform
    behind = np.resize(background, len(waveform))
    scale = _rms(waveform) / _rms(behind) * 10 ** (-decibels / 20)
    return (waveform + scale * behind).astype(np.float32)


def _with_background(sound: Waveform, rng: np.random.Generator, others: Sequence[Waveform]) -> Waveform:
    draw, ratio = rng.random(), float(rng.uniform(3, 40))
    if draw < 0.15:
        return mixed(sound, music(len(sound), rng), ratio)
    if draw < 0.35 and others:
        babble = np.zeros(len(sound), np.float32)
        for other in others:
            babble += np.roll(np.resize(other, len(sound)), int(rng.integers(len(sound))))
        return mixed(sound, babble, max(ratio, 8.0))
    return add_noise(sound, rng, snr=ratio)


def _level(waveform: Waveform, seconds: float) -> np.ndarray:
    """Root mean square over ``seconds``, for every sample."""
    blocks = -(-len(waveform) // _BLOCK)
    padded = np.pad(waveform.astype(np.float64), (0, blocks * _BLOCK - len(waveform)))
    power = np.square(padded).reshape(blocks, _BLOCK).mean(1)
    smooth = uniform_filter1d(power, max(1, round(seconds * RATE / _BLOCK)), mode="nearest")
    level = np.sqrt(np.maximum(smooth, 0.0))
    places = (np.arange(blocks) + 0.5) * _BLOCK
    return np.interp(np.arange(len(waveform)), places, level)


def _rms(waveform: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) + 1e-9
