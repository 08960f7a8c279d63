"""A weak lip-sync measure without weights: does the mouth open when the voice is loud?

It compares how dark the mouth region is with how loud the audio is. It sees opening only, not which sound is
spoken; teeth, beards, head turns and hard shadows disturb it, and a loud /m/ counts against the truth. On
recordings of real people who move their heads it found r = -0.3 to 0.3, no better than chance, so it serves
in the framing of the synthetic world, to tell moving from still or matched from mismatched, and never to rank
good results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..media.waveform import check_waveform

# Left, top, right, bottom as shares of a square, mouth-centred face crop such as the synthetic world draws.
MOUTH_BOX = (0.36, 0.62, 0.64, 0.88)
# Luminance of the inside of a mouth is well below this share of the skin around it; that of lips is not.
_CAVITY = 0.55
_LUMA = (0.299, 0.587, 0.114)
_FEWEST_PAIRS = 3


def speech_envelope(waveform: Tensor, rate: int, num_frames: int, fps: float | Fraction) -> Tensor:
    """Loudness of the audio around each video frame.

    Square root of the RMS (so that loud vowels do not drown the rest) in a window of two frames centred on
    the time the frame is on screen. Beyond its end the audio is silent.

    Args:
        waveform: [S], mono.
        rate: samples per second.
        num_frames: T.
        fps: video frames per second.

    Returns:
        [T], float32 on the CPU, 0 for silence.

    Raises:
        InputError: empty, not finite or not mono; rate or fps not positive.
    """
    waveform = check_waveform(waveform)
    if waveform.ndim != 1:
        raise InputError(f"the audio has shape {list(waveform.shape)}: mix it down to one channel first.")
    per_frame = float(rate) / float(fps) if float(fps) > 0 else 0.0
    if not (math.isfinite(per_frame) and per_frame > 0):
        raise InputError(
            f"{rate} samples and {fps} frames per second are not possible: both must be positive."
        )
    energy = F.pad(waveform.detach().to("cpu", torch.float64).square().cumsum(0), (1, 0))
    centres = (torch.arange(num_frames, dtype=torch.float64) + 0.5) * per_frame
    last = energy.numel() - 1
    start = (centres - per_frame).round().long().clamp(0, last)
    stop = (centres + per_frame).round().long().clamp(0, last)
    # A window over the edge of the recording holds silence there, so all are divided by the same length.
    power = (energy[stop] - energy[start]).clamp(min=0.0) / (2 * per_frame)
    return power.sqrt().sqrt().float()


def mouth_opening_from_pixels(frames: Tensor, box: tuple[float, float, float, float] | None = None) -> Tensor:
    """How much of the mouth box is dark cavity: a weak proxy of mouth opening.

    Each pixel of the box counts by how far its luminance lies below 0.55 of the skin's, the skin being the
    box's upper quartile in the same frame, so overall brightness cancels.

    Args:
        frames: [T, H, W, 3], floating point 0..1 or uint8.
        box: (left, top, right, bottom) as shares of width and height; `MOUTH_BOX` if None.

    Returns:
        [T], float32 on the CPU, 0 (closed or nothing dark) to 1.

    Raises:
        InputError: not [T, H, W, 3], or a box without pixels.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise InputError(f"the images have shape {list(frames.shape)}: use [frames, height, width, 3].")
    left, top, right, bottom = MOUTH_BOX if box is None else box
    height, width = frames.shape[1:3]
    crop = frames[
        :,
        max(0, round(top * height)) : max(0, round(bottom * height)),
        max(0, round(left * width)) : max(0, round(right * width)),
    ]
    if crop.shape[1] == 0 or crop.shape[2] == 0:
        raise InputError(
            f"the mouth box {left, top, right, bottom} contains no pixel of a {width} x {height} image."
        )
    if frames.shape[0] == 0:
        return torch.zeros(0)
    scale = 1.0 if frames.is_floating_point() else 1.0 / 255.0
    luma = (crop.detach().cpu().float() * scale) @ torch.tensor(_LUMA)
    luma = luma.flatten(1)
    threshold = _CAVITY * luma.quantile(0.75, dim=1, keepdim=True)
    return ((threshold - luma) / threshold.clamp(min=1e-3)).clamp(0.0, 1.0).mean(dim=1)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's r of two series [T]; 0 where one is constant, not finite or shorter than three.

    Raises:
        InputError: series of different lengths.
    """
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(
            f"correlation needs two series of one length, not {list(a.shape)} and {list(b.shape)}."
        )
    if a.numel() < _FEWEST_PAIRS:
        return 0.0
    x, y = a.detach().cpu().double(), b.detach().cpu().double()
    if not bool(torch.isfinite(x).all() and torch.isfinite(y).all()):
        return 0.0
    deviations = []
    for series in (x, y):
        deviation = series - series.mean()
        # Rounding leaves a constant series a little deviation, whose direction means nothing.
        if float(deviation.abs().max()) <= 1e-9 * float(series.abs().max()):
            return 0.0
        deviations.append(deviation / deviation.norm())
    return float((deviations[0] @ deviations[1]).clamp(-1.0, 1.0))


@dataclass(frozen=True)
class LagCurve:
    """Correlation of two series for every lag.

    Attributes:
        lags: [2 * max_lag + 1], frames; at lag k, a[t] is compared with b[t + k].
        correlations: [2 * max_lag + 1], float32.
        best_lag: lag of the highest correlation, the smallest if several tie; positive where b comes late.
        best: that correlation.
    """

    lags: Tensor
    correlations: Tensor
    best_lag: int
    best: float


def lag_curve(a: Tensor, b: Tensor, max_lag: int) -> LagCurve:
    """Pearson's r of a[t] with b[t + lag] for lag = -max_lag .. max_lag, over the frames both have.

    Args:
        a, b: [T].
        max_lag: frames, not negative.

    Raises:
        InputError: series of different lengths, or a negative max_lag.
    """
    if max_lag < 0:
        raise InputError(f"the largest lag is {max_lag}: it must not be negative.")
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(
            f"correlation needs two series of one length, not {list(a.shape)} and {list(b.shape)}."
        )
    count = a.numel()
    lags = list(range(-max_lag, max_lag + 1))
    values = []
    for lag in lags:
        overlap = max(0, count - abs(lag))
        values.append(correlation(a[max(0, -lag) :][:overlap], b[max(0, lag) :][:overlap]))
    best = max(range(len(lags)), key=lambda k: (values[k], -abs(lags[k])))
    return LagCurve(torch.tensor(lags), torch.tensor(values), lags[best], values[best])
