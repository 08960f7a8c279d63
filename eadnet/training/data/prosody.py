"""Speech measured for training data: where somebody speaks, how loudly and how high (with librosa).

For recordings of people (`experiments/voices.py` measures how they differ from the synthetic voices). Not for
rendering, as importing librosa takes seconds of processor time. A render measures
loudness with `eadnet.captions.loudness` and pauses with `eadnet.media.silence`, which the tests hold against
librosa. Read files with `eadnet.media.audio.load_audio`: librosa reads neither .m4a nor videos.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...media.audio import RATE, mono

_HOP = RATE // 100  # 10 ms between measurements
_WINDOW = 4 * _HOP
_PITCH_WINDOW = 1024  # 64 ms: four periods of the lowest voices
_QUIETEST = 1e-5  # amplitude that counts as silence, -100 dBFS


def resampled(waveform: Tensor, rate: int, target: int = RATE) -> Tensor:
    """Mono at another rate, by the best resampler of SoX (passband to 99.5 %, aliases below -120 dB).

    A render resamples with `eadnet.media.audio.to_mono_16k` instead, which also works block by block.

    Args:
        waveform: [S] or [C, S], floating point; channels are mixed.
        rate, target: samples per second.

    Returns:
        [ceil(S * target / rate)] float32.
    """
    import librosa

    if not (rate > 0 and target > 0):
        raise InputError(f"Sound cannot be converted from {rate} to {target} samples per second.")
    samples = mono(waveform).detach().cpu().numpy()
    return torch.from_numpy(librosa.resample(samples, orig_sr=rate, target_sr=target, res_type="soxr_vhq"))


def trimmed(waveform: Tensor, below: float = 40.0) -> tuple[Tensor, slice]:
    """A recording [S] at 16 kHz without the silence at its ends, and which samples are left.

    Silence is what is more than ``below`` decibels quieter than the loudest part. Of silence alone nothing is
    left.
    """
    parts = spoken_parts(waveform, below)
    kept = slice(parts[0].start, parts[-1].stop) if parts else slice(0, 0)
    return waveform[kept], kept


def spoken_parts(waveform: Tensor, below: float = 40.0) -> list[slice]:
    """The samples between the pauses of a recording [S] at 16 kHz, in order; see `trimmed` for silence."""
    import librosa

    samples = _samples(waveform)
    if np.abs(samples).max() < _QUIETEST:  # nothing is loud relative to silence
        return []
    parts = librosa.effects.split(samples, top_db=below, frame_length=_WINDOW, hop_length=_HOP)
    return [slice(int(start), int(stop)) for start, stop in parts]


def energy(waveform: Tensor, fps: float, frames: int) -> np.ndarray:
    """The level around each video frame in decibels of full scale (RMS of 40 ms), float64 [frames].

    Args:
        waveform: [S], 16 kHz; frames beyond its end are silent (-100).
    """
    import librosa

    rms = librosa.feature.rms(y=_samples(waveform), frame_length=_WINDOW, hop_length=_HOP)[0]
    level = librosa.amplitude_to_db(rms, ref=1.0, amin=_QUIETEST, top_db=None).astype(np.float64)
    times = librosa.times_like(level, sr=RATE, hop_length=_HOP)
    return np.interp(_centres(fps, frames), times, level, right=20 * np.log10(_QUIETEST))


def pitch(
    waveform: Tensor, fps: float, frames: int, lowest: float = 60.0, highest: float = 500.0
) -> np.ndarray:
    """The fundamental frequency at each video frame in Hz, float64 [frames]; NaN where no voice sounds.

    Probabilistic YIN (Mauch and Dixon, ICASSP 2014) between ``lowest`` and ``highest``.
    """
    import librosa

    hertz, _, _ = librosa.pyin(
        _samples(waveform),
        fmin=lowest,
        fmax=highest,
        sr=RATE,
        frame_length=_PITCH_WINDOW,
        hop_length=_HOP,
    )
    nearest = np.round(_centres(fps, frames) * RATE / _HOP).astype(int)
    return np.where(nearest < len(hertz), hertz[nearest.clip(max=len(hertz) - 1)], np.nan)


def _centres(fps: float, frames: int) -> np.ndarray:
    """When the middle of each video frame is shown, in seconds."""
    if not fps > 0:
        raise InputError(f"The frame rate is {fps} fps; it must be positive.")
    return (np.arange(frames) + 0.5) / fps


def _samples(waveform: Tensor) -> np.ndarray:
    return mono(waveform).detach().cpu().numpy()
