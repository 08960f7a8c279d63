"""A lip-sync measure without weights: ridge regression from log-mel to the opening of the mouth.

It is fitted on the other clips and evaluated on this one (leave one clip out), so it is independent of every
SyncNet, and weak: it predicts the opening only, from a handful of clips. Its lag is worth more than its r.
Lags are against the other clips: were all of them late, none would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..media.features import RATE, mel_power
from .mouth import LagCurve, lag_curve

CONTEXT = 4  # frames of audio to each side
BANDS = 20
RIDGE = 300.0
MAX_LAG = 10


def speech_features(waveform: Tensor, count: int, fps: float) -> Tensor:
    """The audio features of a frame: log-mel in 20 bands from four frames before it to four after.

    Args:
        waveform: [S], mono, 16 kHz; where it ends before the last frame, silence follows.
        count: frames.
        fps: frames per second.

    Returns:
        [count, 9 * 20], float64, each column standardised over the clip.

    Raises:
        InputError: no frames, or fps not positive.
    """
    if count < 1 or not fps > 0:
        raise InputError(f"{count} frames at {fps} per second are not possible: both must be positive.")
    total = int((count + 1) / fps * RATE)
    power = mel_power(F.pad(waveform, (0, max(0, total - waveform.shape[-1]))), pad_mode="constant")
    loudest = power.mean(0).amax().clamp(min=1e-12)
    log_mel = (power.unflatten(0, (BANDS, -1)).mean(1) / loudest).clamp(min=1e-6).log10().cpu().double()
    per_frame = 100.0 / fps
    edges = (torch.arange(count + 1) * per_frame).round().long()
    frames = torch.stack(
        [
            log_mel[:, a : max(a + 1, b)].mean(1)
            for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        ]
    )
    padded = F.pad(frames.T[None], (CONTEXT, CONTEXT), mode="replicate")[0]
    return _standardised(padded.unfold(1, 2 * CONTEXT + 1, 1).permute(1, 2, 0).flatten(1))


def _standardised(x: Tensor) -> Tensor:
    x = x - x.mean(0)
    return x / x.std(0, unbiased=False).clamp(min=1e-6)


@dataclass(frozen=True)
class SpeechFit:
    """The result of the regression for a clip.

    Attributes:
        curve: r of the measured and the expected opening for every lag.
        offset: frames by which the audio runs ahead of the lips, as `SyncScore.offset`; negative is late.
        correlation: r at that offset.
        control: the best r over lags when the expectation comes from another clip's sound.
    """

    curve: LagCurve
    offset: int
    correlation: float
    control: float


def leave_one_out(
    openings: Sequence[Tensor], sounds: Sequence[Tensor], fps: Sequence[float], max_lag: int = MAX_LAG
) -> list[SpeechFit]:
    """Score each clip by a regression fitted on all others.

    Args:
        openings: per clip [T_i], mouth opening of every frame in any unit; NaN where no face was found.
        sounds: per clip [S_i], mono, 16 kHz.
        fps: per clip.
        max_lag: how far to look to each side, in frames.

    Raises:
        InputError: fewer than three clips, or lists of different length.
    """
    if not len(openings) == len(sounds) == len(fps):
        raise InputError("pass as many audio clips and frame rates as video clips.")
    if len(openings) < 3:
        raise InputError(f"the regression needs at least 3 clips, not {len(openings)}.")
    heard = [speech_features(s, len(o), f) for s, o, f in zip(sounds, openings, fps, strict=True)]
    seen = [_standardised(filled(o)[:, None])[:, 0] for o in openings]
    grams = [x.T @ x for x in heard]
    targets = [x.T @ y for x, y in zip(heard, seen, strict=True)]
    gram, target = torch.stack(grams).sum(0), torch.stack(targets).sum(0)
    ridge = RIDGE * torch.eye(gram.shape[0], dtype=gram.dtype)
    fits = []
    for i, opening in enumerate(seen):
        weights = torch.linalg.solve(gram - grams[i] + ridge, target - targets[i])
        curve = lag_curve(opening, heard[i] @ weights, max_lag)
        other = heard[(i + 1) % len(heard)] @ weights
        shared = min(len(opening), len(other))
        control = lag_curve(opening[:shared], other[:shared], max_lag)
        fits.append(SpeechFit(curve, -curve.best_lag, curve.best, control.best))
    return fits


def filled(series: Tensor) -> Tensor:
    """[T] with gaps (NaN) bridged by straight lines, as float64; zeros where there is no number at all."""
    import numpy as np

    values = series.detach().cpu().double().numpy()
    known = np.isfinite(values)
    if not known.any():
        return torch.zeros(len(values), dtype=torch.float64)
    place = np.arange(len(values))
    return torch.from_numpy(np.interp(place, place[known], values[known]))
