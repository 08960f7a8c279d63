"""Spectral features of 16 kHz speech: Whisper's log-mel, LatentSync's mel and SyncNet's MFCC.

Every filterbank is computed from its formula, so no data file and no audio library is needed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from .speech import Speech

RATE = 16000
WHISPER_FFT = 400
WHISPER_HOP = 160
WHISPER_MELS = 80
WHISPER_CHUNK_FRAMES = 3000
_FRAMES_PER_PIECE = 3000
LATENTSYNC_FFT = 800
LATENTSYNC_HOP = 200

# Slaney's mel scale: linear up to 1 kHz (15 mels), then 27 mels for every factor of 6.4.
_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_KNEE_HZ = 1000.0
_SLANEY_KNEE_MEL = _SLANEY_KNEE_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = math.log(6.4) / 27.0


def _slaney_mel(hertz: float) -> float:
    if hertz < _SLANEY_KNEE_HZ:
        return hertz / _SLANEY_HZ_PER_MEL
    return _SLANEY_KNEE_MEL + math.log(hertz / _SLANEY_KNEE_HZ) / _SLANEY_LOG_STEP


def _slaney_hertz(mel: Tensor) -> Tensor:
    curved = _SLANEY_KNEE_HZ * torch.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_KNEE_MEL))
    return torch.where(mel < _SLANEY_KNEE_MEL, mel * _SLANEY_HZ_PER_MEL, curved)


def slaney_filterbank(n_fft: int, n_mels: int, low: float = 0.0, high: float = RATE / 2) -> Tensor:
    """Triangular mel filters of unit area on Slaney's scale (Auditory Toolbox, 1998).

    Args:
        n_fft: FFT length in samples at 16 kHz.
        n_mels: number of filters.
        low, high: outer edges of the first and the last filter in Hz.

    Returns:
        [n_mels, n_fft // 2 + 1], float64.
    """
    bins = torch.linspace(0.0, RATE / 2, n_fft // 2 + 1, dtype=torch.float64)
    mels = torch.linspace(_slaney_mel(low), _slaney_mel(high), n_mels + 2, dtype=torch.float64)
    edges = _slaney_hertz(mels)
    left, centre, right = (edges[k : k + n_mels, None] for k in range(3))
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0.0) * (2.0 / (right - left))


def _padded(waveform: Tensor, shortest: int) -> Tensor:
    """Silence after a recording too short for one analysis window."""
    return F.pad(waveform, (0, max(0, shortest - waveform.shape[-1])))


def mel_power(waveform: Tensor, pad_mode: str = "reflect") -> Tensor:
    """Power in Whisper's 80 mel bands, 100 frames per second; frame m is centred on sample 160 m.

    Args:
        waveform: [..., S], mono, 16 kHz, on any device; less than 400 samples count as followed by silence.
        pad_mode: what lies beyond the ends: "reflect" (Whisper's choice) or "constant" (silence).

    Returns:
        [..., 80, S // 160], float32, differentiable.
    """
    flat = _padded(waveform.float(), WHISPER_FFT).reshape(-1, max(waveform.shape[-1], WHISPER_FFT))
    window = torch.hann_window(WHISPER_FFT, device=flat.device)
    filters = slaney_filterbank(WHISPER_FFT, WHISPER_MELS).to(device=flat.device, dtype=torch.float32)
    frames = flat.shape[-1] // WHISPER_HOP
    flat = F.pad(flat[:, None], (WHISPER_FFT // 2, WHISPER_FFT // 2), mode=pad_mode)[:, 0]
    pieces = []
    for first in range(0, frames, _FRAMES_PER_PIECE):  # a spectrum is four times as large as its sound
        last = min(frames, first + _FRAMES_PER_PIECE) - 1
        part = flat[:, first * WHISPER_HOP : last * WHISPER_HOP + WHISPER_FFT]
        spectrum = torch.stft(
            part, WHISPER_FFT, WHISPER_HOP, window=window, center=False, return_complex=True
        )
        pieces.append(filters @ spectrum.abs().square())
    mel = torch.cat(pieces, dim=-1)
    return mel.reshape(*waveform.shape[:-1], WHISPER_MELS, mel.shape[-1])


def mel_power_between(speech: Speech, first: int, last: int, reflect_at: int | None = None) -> Tensor:
    """Frames ``first`` to ``last`` of `mel_power` of a recording that is read where it is needed.

    Args:
        speech: the recording.
        first, last: half-open range of mel frames.
        reflect_at: number of samples after which, and before 0, the recording is mirrored as Whisper does;
            None leaves silence there.

    Returns:
        [80, last - first], float32.
    """
    margin = 2  # frames whose windows reach beyond what is read
    start, stop = (first - margin) * WHISPER_HOP, (last + margin) * WHISPER_HOP
    waveform = speech.read(start, stop)
    if reflect_at is not None:
        if start < 0:
            waveform[:-start] = speech.read(1, 1 - start).flip(0)
        beyond = stop - reflect_at
        if beyond > 0:
            mirrored = speech.read(reflect_at - 1 - beyond, reflect_at - 1).flip(0)
            waveform[reflect_at - start :] = mirrored[: len(waveform) - (reflect_at - start)]
    return mel_power(waveform, pad_mode="constant")[:, margin : margin + last - first]


def whisper_log_mel(waveform: Tensor, pad_to_30s: bool = False) -> Tensor:
    """Whisper's log-mel spectrogram (arXiv 2212.04356, section 2.2), 100 frames per second.

    log10 of the mel power, limited to 8 decades below the loudest value of the recording, then (x + 4) / 4.

    Args:
        waveform: [..., S], mono, 16 kHz.
        pad_to_30s: append zeros (in the log domain, as LatentSync does) up to 3000 frames; never cuts.

    Returns:
        [..., 80, M] with M = S // 160, float32.
    """
    decades = mel_power(waveform).clamp(min=1e-10).log10()
    loudest = decades.amax(dim=(-2, -1), keepdim=True)
    log_mel = (torch.maximum(decades, loudest - 8.0) + 4.0) / 4.0
    if pad_to_30s:
        log_mel = F.pad(log_mel, (0, max(0, WHISPER_CHUNK_FRAMES - log_mel.shape[-1])))
    return log_mel


def _preemphasis(waveform: Tensor, first: Tensor) -> Tensor:
    return torch.cat([first, waveform[1:] - 0.97 * waveform[:-1]])


def latentsync_mel(waveform: Tensor) -> Tensor:
    """The mel spectrogram LatentSync's SyncNet reads: 80 bands, 80 frames per second.

    Wav2Lip's settings (arXiv 2008.10010).
    Pre-emphasis 0.97, Hann window of 50 ms, amplitude in dB over 55-7600 Hz; -80..20 dB maps linearly
    onto -4..4.

    Args:
        waveform: [S], mono, 16 kHz, values in [-1, 1].

    Returns:
        [80, S // 200 + 1], float32 on the CPU, values in [-4, 4].
    """
    samples = _padded(waveform.detach().to("cpu", torch.float64), LATENTSYNC_FFT)
    samples = _preemphasis(samples, samples[:1])
    window = torch.hann_window(LATENTSYNC_FFT, dtype=torch.float64)
    spectrum = torch.stft(
        samples, LATENTSYNC_FFT, LATENTSYNC_HOP, window=window, pad_mode="constant", return_complex=True
    )
    mel = slaney_filterbank(LATENTSYNC_FFT, 80, 55.0, 7600.0) @ spectrum.abs()
    decibel = 20.0 * mel.clamp(min=1e-5).log10() - 20.0
    return (8.0 * (decibel + 100.0) / 100.0 - 4.0).clamp(-4.0, 4.0).float()


def int16_scaled(waveform: Tensor) -> Tensor:
    """The whole numbers a 16-bit recording of `waveform` ([S], -1..1) holds, as float64 [S] on the CPU."""
    return (waveform.detach().to("cpu", torch.float64) * 32768.0).round().clamp(-32768.0, 32767.0)


def _htk_filterbank(n_fft: int, n_mels: int) -> Tensor:
    """Triangles of unit height between whole FFT bins, on HTK's mel scale; [n_mels, n_fft // 2 + 1]."""
    highest = 2595.0 * math.log10(1.0 + RATE / 2 / 700.0)
    hertz = 700.0 * (10.0 ** (torch.linspace(0.0, highest, n_mels + 2, dtype=torch.float64) / 2595.0) - 1.0)
    edges = ((n_fft + 1) * hertz / RATE).floor()
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64)
    left, centre, right = (edges[k : k + n_mels, None] for k in range(3))
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0.0)


def _orthonormal_dct(size: int, rows: int) -> Tensor:
    """The first `rows` basis functions of the orthonormal DCT-II; [rows, size], float64."""
    n = torch.arange(size, dtype=torch.float64) + 0.5
    k = torch.arange(rows, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / size * k * n) * math.sqrt(2.0 / size)
    basis[0] /= math.sqrt(2.0)
    return basis


def mfcc(samples: Tensor) -> Tensor:
    """Mel-frequency cepstral coefficients as SyncNet v2 expects them, 100 frames per second.

    25 ms rectangular windows every 10 ms, pre-emphasis 0.97, 512-point FFT, 26 mel bands, 13 liftered
    coefficients of which the first is replaced by the log energy of the frame.

    Args:
        samples: [S], mono, 16 kHz, in the units of 16-bit samples (see `int16_scaled`).

    Returns:
        [1 + ceil((S - 400) / 160), 13] (one row for S <= 400), float32 on the CPU.
    """
    window, hop, n_fft, n_mels, coefficients, lifter = 400, 160, 512, 26, 13, 22
    samples = samples.detach().to("cpu", torch.float64)
    emphasised = _preemphasis(samples, samples[:1])
    frames = 1 + max(0, math.ceil((emphasised.numel() - window) / hop))
    framed = _padded(emphasised, (frames - 1) * hop + window).unfold(0, window, hop)
    power = torch.fft.rfft(framed, n_fft).abs().square() / n_fft
    # A logarithm of exactly nothing is replaced, not shifted: other values keep their digits.
    tiny = torch.finfo(torch.float64).eps
    energy = power.sum(dim=1)
    energy = torch.where(energy == 0, tiny, energy)
    bands = power @ _htk_filterbank(n_fft, n_mels).T
    bands = torch.where(bands == 0, tiny, bands)
    cepstrum = bands.log() @ _orthonormal_dct(n_mels, coefficients).T
    index = torch.arange(coefficients, dtype=torch.float64)
    cepstrum = cepstrum * (1.0 + lifter / 2 * torch.sin(math.pi * index / lifter))
    cepstrum[:, 0] = energy.log()
    return cepstrum.float()
