"""Recording conditions for clean speech: room, microphone, noise and level, never a shift in time.

Every step keeps the samples where they are (zero-phase equaliser, reverberation behind the direct sound),
so the mouth stays true to the sound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

RATE = 16_000
Waveform = NDArray[np.float32]


def augment(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """A random recording of `waveform` ([S], 16 kHz): same length, peak at most 1. Deterministic in `rng`."""
    sound = waveform.astype(np.float32)
    if rng.random() < 0.5:
        sound = reverberate(
            sound, rng, seconds=float(rng.uniform(0.1, 0.6)), wet=float(rng.uniform(0.05, 0.35))
        )
    if rng.random() < 0.7:
        sound = equalise(sound, rng, decibels=float(rng.uniform(2, 9)))
    if rng.random() < 0.1:
        sound = band_limit(sound, low=300.0, high=3400.0)
    if rng.random() < 0.7:
        sound = add_noise(sound, rng, snr=float(rng.uniform(5, 40)))
    return set_level(sound, float(rng.uniform(-30, -14)))


def reverberate(waveform: Waveform, rng: np.random.Generator, seconds: float, wet: float) -> Waveform:
    """Exponentially decaying noise as the room (60 dB down after `seconds`), the direct sound untouched."""
    time = np.arange(max(2, int(seconds * RATE))) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / seconds)
    tail[: int(0.002 * RATE)] = 0.0
    tail /= np.sqrt((tail**2).sum()) + 1e-9
    size = next_fast_len(len(waveform) + len(tail), real=True)
    echo = irfft(rfft(waveform, size) * rfft(tail, size), size)[: len(waveform)]
    return ((1.0 - wet) * waveform + wet * echo).astype(np.float32)


def equalise(waveform: Waveform, rng: np.random.Generator, decibels: float) -> Waveform:
    """A smooth random response over octaves with standard deviation `decibels` / 2, zero phase."""
    knots = np.log2(np.array([40, 125, 250, 500, 1000, 2000, 4000, 8000.0]))
    gains = np.clip(rng.standard_normal(len(knots)) / 2, -1, 1) * decibels
    return _filter(waveform, lambda f: 10 ** (np.interp(np.log2(np.maximum(f, 1)), knots, gains) / 20))


def band_limit(waveform: Waveform, low: float, high: float) -> Waveform:
    """A telephone: nothing below `low` or above `high` hertz."""
    return _filter(waveform, lambda f: 1 / (1 + (low / np.maximum(f, 1)) ** 8) / (1 + (f / high) ** 12))


def add_noise(waveform: Waveform, rng: np.random.Generator, snr: float) -> Waveform:
    """Noise between white and brown at a signal-to-noise ratio in dB; sometimes with mains hum."""
    tilt = float(rng.uniform(0, 1))
    noise = _filter(
        rng.standard_normal(len(waveform)).astype(np.float32), lambda f: np.maximum(f, 30.0) ** -tilt
    )
    if rng.random() < 0.15:
        time = np.arange(len(waveform)) / RATE
        noise = noise / _rms(noise) + np.sin(2 * np.pi * rng.choice([50, 60]) * time + rng.uniform(0, 6))
    scale = _rms(waveform) / _rms(noise) * 10 ** (-snr / 20)
    return (waveform + noise * scale).astype(np.float32)


def set_level(waveform: Waveform, decibels: float) -> Waveform:
    """Scale to a root-mean-square level in dB of full scale; peaks clip at 1. Silence stays silence."""
    level = _rms(waveform)
    if level < 1e-6:
        return waveform
    return np.clip(waveform * (10 ** (decibels / 20) / level), -1.0, 1.0).astype(np.float32)


def _rms(waveform: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) + 1e-9


def _filter(waveform: Waveform, response: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Waveform:
    """Multiply the spectrum by a real `response` to frequencies in hertz: no phase, no delay."""
    size = next_fast_len(len(waveform) + 512, real=True)
    spectrum = rfft(waveform, size) * response(np.arange(size // 2 + 1) * RATE / size)
    return irfft(spectrum, size)[: len(waveform)].astype(np.float32)
