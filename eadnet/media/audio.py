"""Recordings: reading any container, checking, mixing down and resampling to 16 kHz mono."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .limits import check_rate
from .sound import SoundFile
from .waveform import check_waveform

RATE = 16000
_PIECE = 1 << 20  # samples looked at together
# A mix with less than this share of what unrelated channels would give is cancelled out; channels that are so
# much alike are the same sound.
_CANCELLED, _ALIKE = 0.25, 0.5

# How loudly each channel speaks in a mono mix (ITU-R BS.775): fronts and surrounds are attenuated, the
# centre carries the dialogue, the subwoofer carries none. Order as FFmpeg and WAVE_FORMAT_EXTENSIBLE.
_SURROUND_WEIGHTS = {
    6: (0.7071, 0.7071, 1.0, 0.0, 0.5, 0.5),
    8: (0.7071, 0.7071, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5),
}


class ChannelStatistics:
    """How the channels of a recording belong together, from its pieces [C, n] one after the other."""

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.sums = torch.zeros(channels, dtype=torch.float64)
        self.products = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, piece: Tensor) -> None:
        if len(self.sums) > 1:
            piece = piece.detach().to("cpu", torch.float64)
            self.count += piece.shape[1]
            self.sums += piece.sum(dim=1)
            self.products += piece @ piece.T

    def inverted(self) -> list[int]:
        """The channels that have to be turned over so that the mix does not cancel out, numbered from 0.

        None where the mix is about as loud as channels that have nothing to do with each other would be, as
        it is of every recording but those with a cable or a plug the wrong way round.
        """
        weights = _weights(len(self.sums)).double()
        mean = self.sums / max(1, self.count)
        covariance = self.products / max(1, self.count) - torch.outer(mean, mean)
        power = covariance.diagonal().clamp(min=0)
        apart = weights.square() * power
        if float(weights @ covariance @ weights) >= _CANCELLED * float(apart.sum()):
            return []
        loudest = int((apart >= 0.999 * apart.max()).nonzero()[0])  # the first of equals
        alike = covariance[loudest] / (power * power[loudest]).sqrt().clamp(min=1e-12)
        return [channel for channel, value in enumerate(alike.tolist()) if value < -_ALIKE]

    def notes(self) -> list[str]:
        """What the user should know about the channels."""
        return [
            f"Channel {channel + 1} of the recording is inverted and would cancel the others out: it was "
            "turned over for the lips."
            for channel in self.inverted()
        ]


def _weights(channels: int) -> Tensor:
    weights = torch.tensor(_SURROUND_WEIGHTS.get(channels, (1.0,) * channels))
    return weights / weights.sum()


def mixed(waveform: Tensor, inverted: Sequence[int] = ()) -> Tensor:
    """[C, S] -> [S], with some channels turned over; 5.1 and 7.1 by the ITU weights, else the mean."""
    weights = _weights(len(waveform)).to(waveform)
    weights[list(inverted)] *= -1
    return weights @ waveform


def channel_statistics(waveform: Tensor) -> ChannelStatistics:
    """Those of a whole recording [C, S]."""
    statistics = ChannelStatistics(len(waveform))
    for piece in waveform.split(_PIECE, dim=1):
        statistics.add(piece)
    return statistics


def mono(waveform: Tensor) -> Tensor:
    """One channel from many: [..., C, S] or [S] -> [S]; 5.1 and 7.1 by the ITU weights, else the mean.
    Channels that would cancel the mix out are turned over.

    Raises:
        InputError: empty or not finite; a batch of several recordings.
    """
    waveform = check_waveform(waveform)
    if waveform.ndim == 1:
        return waveform
    channels, samples = waveform.shape[-2:]
    if waveform.numel() != channels * samples:
        batch = waveform.numel() // (channels * samples)
        raise InputError(f"the audio is a batch of {batch} clips: use one at a time.")
    waveform = waveform.reshape(channels, samples)
    return mixed(waveform, channel_statistics(waveform).inverted())


def to_mono_16k(waveform: Tensor, rate: int) -> Tensor:
    """A recording as 16 kHz mono, by polyphase resampling.

    Args:
        waveform: [S], [C, S] or [1, C, S], floating point, any device.
        rate: samples per second, any whole number.

    Returns:
        [ceil(S * 16000 / rate)], float32 on the CPU. Silence is allowed.

    Raises:
        InputError: empty, NaN or infinite samples, several recordings, an impossible rate.
    """
    rate = check_rate(rate, "the audio")
    samples = mono(waveform).detach().cpu()
    if rate == RATE:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, RATE)
    resampled = resample_poly(samples.numpy(), RATE // common, rate // common)
    return torch.from_numpy(np.ascontiguousarray(resampled, dtype=np.float32))


def num_frames(seconds: float, fps: float | Fraction) -> int:
    """How many video frames `seconds` of sound get: seconds * fps, halves rounded up.

    Raises:
        InputError: a negative duration, or fps that is not positive.
    """
    seconds, fps = float(seconds), float(fps)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(f"the duration is {seconds} seconds; it must not be negative.")
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"the frame rate is {fps} fps: it must be positive.")
    # A duration such as 0.3 s has no exact float: without the grain, a half could land just below itself.
    return math.floor(seconds * fps + 0.5 + 1e-9)


def load_audio(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """The first sound track of any file FFmpeg reads (wav, mp3, flac, mp4, mkv, ...).

    Where the file also has a picture track, sample 0 belongs to the first picture: a track that starts late
    is preceded by silence, one that starts early is cut. Damaged packets are left out, as players do.

    Returns:
        (waveform [C, S] float32, samples per second).

    Raises:
        InputError: missing or unreadable file, no sound track, no samples, NaN or infinite samples.
    """
    sound = SoundFile(path)
    waveform = torch.cat(list(sound.pieces()), dim=1)
    return check_waveform(waveform, where=f"the audio track of {Path(path).name}"), sound.rate


def moved(waveform: Tensor, rate: int, seconds: float) -> Tensor:
    """The same length of sound, heard `seconds` later (positive) or earlier; silence fills the gap.

    Args:
        waveform: [..., S].
        rate: samples per second.
        seconds: any number; beyond the recording's length nothing is left.

    Returns:
        [..., S].
    """
    samples, length = round(seconds * rate), waveform.shape[-1]
    if samples >= 0:
        return torch.nn.functional.pad(waveform, (samples, 0))[..., :length]
    return torch.nn.functional.pad(waveform[..., min(-samples, length) :], (0, min(-samples, length)))
