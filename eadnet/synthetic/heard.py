"""Recording conditions on spectra: what rooms, microphones, noise and codecs do, a hundred times cheaper
than on sound.

Power in mel bands adds up where sounds do, near enough; filters are gains per band, rooms a decaying smear in
time, level controls gains per frame. A network that hears log-mel learns from these, and is judged on real
recordings. Nothing moves a sound in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ..media.features import RATE, WHISPER_MELS, mel_power
from .anywhere import music
from .augment import Waveform

Power = NDArray[np.float32]
"""Power in Whisper's 80 mel bands, 100 frames a second: [80, M]."""

_HIGHEST = RATE / 2
_TAIL = 64  # frames that a room can be heard
_KNOTS = 9  # of a microphone's response, over all bands
_NOISE_SECONDS = 12


def spectrum(waveform: Waveform) -> Power:
    """The power of a sound [S] at 16 kHz."""
    return mel_power(torch.from_numpy(np.asarray(waveform, np.float32)), pad_mode="constant").numpy()


@dataclass(frozen=True)
class Backgrounds:
    """Spectra of what may be heard behind talk: noise of several colours, and music."""

    spectra: tuple[Power, ...]

    @classmethod
    def drawn(cls, seed: int = 0, count: int = 6) -> Backgrounds:
        rng = np.random.default_rng(seed)
        samples = _NOISE_SECONDS * RATE
        noises = [rng.standard_normal(samples).astype(np.float32) * 0.1 for _ in range(count)]
        tunes = [music(samples, rng) * 0.1 for _ in range(count)]
        return cls(tuple(spectrum(sound) for sound in (*noises, *tunes)))


def heard(
    power: Power, rng: np.random.Generator, backgrounds: Backgrounds, others: tuple[Power, ...] = ()
) -> Power:
    """A random recording of clean talk: another spectrum of the same shape; ``others`` talk behind it.

    Most recordings are good ones, as most that people film are; a third is not.
    """
    poor = rng.random() < 0.35
    heard = np.asarray(power, np.float32) / (power.mean() + 1e-12)
    if rng.random() < 0.7:
        heard = warped(heard, float(np.exp(rng.uniform(np.log(0.84), np.log(1.2)))))
    if rng.random() < 0.35:
        heard = levelled(heard, float(rng.uniform(0.1, 0.5)), int(rng.integers(3, 40)))
    if rng.random() < 0.6:
        heard = in_room(
            heard, float(rng.uniform(0.1, 0.9)), float(np.exp(rng.uniform(-5.0, 0.0 if poor else -1.5))), rng
        )
    if rng.random() < 0.85:
        heard = heard * response(rng, float(rng.uniform(1, 6 if poor else 4)))[:, None]
    if rng.random() < 0.8:
        ratio = float(rng.uniform(3, 20) if poor else rng.uniform(15, 50))
        heard = heard + _behind(heard, rng, backgrounds, others, ratio)
    low, high = 0.0, _HIGHEST
    draw = rng.random()
    if draw < 0.12:
        low, high = 300.0, 3400.0
    elif draw < 0.55:
        low, high = float(rng.choice([0, 60, 100, 200, 300])), float(rng.uniform(3500, 8500))
    heard = heard * band(low, high)[:, None]
    if rng.random() < 0.15:
        heard = gated(heard, float(rng.uniform(1.5, 3.5)), float(10 ** rng.uniform(-4, -0.5)))
    if rng.random() < 0.2:
        heard = levelled(heard, float(rng.uniform(0.1, 0.6)), int(rng.integers(5, 60)))
    floor = 10 ** rng.uniform(-7, -4) * heard.mean()
    return (heard + floor).astype(np.float32)


def warped(power: Power, factor: float) -> Power:
    """All frequencies times ``factor``: a shorter (above 1) or a longer vocal tract, and another pitch."""
    wanted = np.interp(_centres() / factor, _centres(), np.arange(WHISPER_MELS))
    low = np.minimum(wanted.astype(int), WHISPER_MELS - 2)
    share = (wanted - low)[:, None].astype(np.float32)
    return power[low] * (1 - share) + power[low + 1] * share


def levelled(power: Power, amount: float, frames: int) -> Power:
    """An automatic level control that follows the level over ``frames`` and takes ``amount`` of it back."""
    level = uniform_filter1d(power.mean(0), frames, mode="nearest")
    gain = np.maximum(level / (level.max() + 1e-12), 1e-4) ** -amount
    return power * np.minimum(gain, 100.0)


def in_room(power: Power, seconds: float, wet: float, rng: np.random.Generator) -> Power:
    """Echoes that fall by 60 dB within ``seconds``, sooner in high bands, with ``wet`` of the direct
    power.
    """
    length = seconds * np.linspace(1.0, rng.uniform(0.4, 1.0), WHISPER_MELS)[:, None]
    tail = np.exp(-13.8 * np.arange(_TAIL)[None] / 100 / length)
    tail[:, :2] *= 0.3
    tail *= wet / tail.sum(1, keepdims=True)
    size = power.shape[1] + _TAIL
    echo = np.fft.irfft(np.fft.rfft(power, size) * np.fft.rfft(tail, size), size)[:, : power.shape[1]]
    return power + np.maximum(echo, 0.0).astype(np.float32)


def response(rng: np.random.Generator, decibels: float) -> NDArray[np.float32]:
    """A microphone's gains [80]: smooth, with a spread of so many decibels."""
    knots = np.clip(rng.standard_normal(_KNOTS), -2, 2) * decibels
    places = np.linspace(0, WHISPER_MELS - 1, _KNOTS)
    return (10 ** (np.interp(np.arange(WHISPER_MELS), places, knots) / 10)).astype(np.float32)


def band(low: float, high: float) -> NDArray[np.float32]:
    """Gains [80] of a band in hertz, with steep flanks; what is outside keeps a millionth."""
    centres = np.maximum(_centres(), 1.0)
    below = 1 / (1 + (low / centres) ** 12)
    above = 1.0 if high >= _HIGHEST else 1 / (1 + (centres / high) ** 24)
    return np.maximum(below * above, 1e-6).astype(np.float32)


def gated(power: Power, decades: float, floor: float) -> Power:
    """A noise gate: frames so many decades below the loud ones keep a share ``floor`` of their power."""
    level = power.mean(0)
    threshold = np.percentile(level, 90) * 10**-decades
    opened = 1 / (1 + (threshold / np.maximum(level, 1e-12)) ** 3)
    return (power * (floor + (1 - floor) * opened)).astype(np.float32)


def _behind(
    power: Power, rng: np.random.Generator, backgrounds: Backgrounds, others: tuple[Power, ...], ratio: float
) -> Power:
    """What is heard behind a talk, ``ratio`` decibels below it; others who talk at least 8."""
    if others and rng.random() < 0.2:
        sources, ratio = others, max(ratio, 8.0)
    else:
        sources = (backgrounds.spectra[rng.integers(len(backgrounds.spectra))],)
    sound = np.zeros_like(power)
    for source in sources:
        places = (np.arange(power.shape[1]) + rng.integers(source.shape[1])) % source.shape[1]
        sound += source[:, places]
    sound *= response(rng, float(rng.uniform(2, 10)))[:, None]
    return sound * (power.mean() / (sound.mean() + 1e-12) * 10 ** (-ratio / 10))


def _centres() -> NDArray[np.float64]:
    """Centre frequencies of the bands in hertz (Slaney's scale)."""
    top = 15 + np.log(_HIGHEST / 1000) / (np.log(6.4) / 27)
    mels = np.arange(1, WHISPER_MELS + 1) * top / (WHISPER_MELS + 1)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
