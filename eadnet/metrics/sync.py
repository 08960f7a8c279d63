"""Lip-sync scores from two series of embeddings: the offset sweep behind LSE-D, LSE-C and AV offset.

Chung and Zisserman, "Out of time" (2016), section 4; named LSE by Wav2Lip (arXiv 2008.10010). Scores of
different networks do not compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError

MAX_SHIFT = 15
MEDIAN_WINDOW = 9
FPS = 25


@dataclass(frozen=True)
class SyncScore:
    """Outcome of a sweep; all tensors float32 on the CPU.

    Attributes:
        mean_distances: [2 * shifts + 1], for offsets shifts, shifts - 1, ..., -shifts.
        offset: frames by which the sound runs ahead of the lips; 0 is in sync, negative is late sound.
        distance: mean distance at that offset (LSE-D); lower is better.
        confidence: median minus minimum of the mean distances (LSE-C); higher is better.
        framewise: [N], median of the mean distances minus the distance of each frame at that offset,
            median-filtered over nine frames: where in the clip the lips fit.
    """

    mean_distances: Tensor
    offset: int
    distance: float
    confidence: float
    framewise: Tensor


class SyncNetwork(Protocol):
    """What `score` needs of a network: `SyncNetV2` and `StableSyncNet` have it."""

    def embed(self, frames: Tensor, waveform: Tensor) -> tuple[Tensor, Tensor]: ...


def distances(
    video: Tensor, audio: Tensor, shifts: int = MAX_SHIFT, *, silence_beyond_ends: bool = True
) -> Tensor:
    """Euclidean distance of each frame to the sound around it.

    Args:
        video, audio: [N, D].
        shifts: how far to look to each side, in frames.
        silence_beyond_ends: beyond the ends of the sound lie embeddings of zero, as in the published
            evaluation of SyncNet v2; otherwise there is nothing to compare with. Unit embeddings want the
            latter: they are closer to zero than to a stranger, which would favour large shifts.

    Returns:
        [N, 2 * shifts + 1], float32 on the CPU; NaN where there is nothing to compare with.

    Raises:
        InputError: shapes that differ, or no embeddings.
    """
    if video.ndim != 2 or video.shape != audio.shape or video.shape[0] == 0:
        shapes = f"{list(video.shape)} and {list(audio.shape)}"
        raise InputError(f"the sync sweep needs as many video as audio embeddings, not {shapes}.")
    video, audio = video.detach().float().cpu(), audio.detach().float().cpu()
    around = F.pad(audio, (0, 0, shifts, shifts), value=0.0 if silence_beyond_ends else math.nan)
    count = video.shape[0]
    columns = [F.pairwise_distance(video, around[k : k + count]) for k in range(2 * shifts + 1)]
    return torch.stack(columns, dim=1)


def sweep(
    video: Tensor, audio: Tensor, shifts: int = MAX_SHIFT, *, silence_beyond_ends: bool = True
) -> SyncScore:
    """Scores of a clip from its embeddings.

    Args:
        video, audio: [N, D], one row per frame.
        shifts: how far to look to each side, in frames.
        silence_beyond_ends: see `distances`.

    Raises:
        InputError: shapes that differ, or no embeddings.
    """
    table = distances(video, audio, shifts, silence_beyond_ends=silence_beyond_ends)
    # A shift that leaves less than a quarter of the frames rests on too few to be the best by more than luck.
    compared = table.isfinite().sum(dim=0)
    means = table.nanmean(dim=0).where(compared >= max(1, math.ceil(len(table) / 4)), math.nan)
    best = int(means.nan_to_num(nan=math.inf).argmin())
    median = means.nanmedian()
    return SyncScore(
        mean_distances=means,
        offset=shifts - best,
        distance=float(means[best]),
        confidence=float(median - means[best]),
        framewise=_median_filtered((median - table[:, best]).nan_to_num(nan=0.0)),
    )


def score(network: SyncNetwork, frames: Tensor, waveform: Tensor, fps: float | Fraction) -> SyncScore:
    """Scores of a clip from its pictures and its sound.

    SyncNets know 25 fps only: at any other rate the picture on screen at each 1/25 s is taken. `offset` is
    then in frames of 1/25 s.

    Args:
        network: a SyncNet.
        frames: [T, 3, H, W], values 0..1, square crops of one face.
        waveform: [S], mono, 16 kHz.
        fps: frame rate of the pictures.

    Raises:
        InputError: too few frames or too little sound for the network.
    """
    if float(fps) != FPS:
        frames = frames[frames_at_25(frames.shape[0], fps).to(frames.device)]
    return sweep(*network.embed(frames, waveform))


def frames_at_25(count: int, fps: float | Fraction) -> Tensor:
    """Which of `count` pictures is on screen at 0, 1/25, 2/25, ... s; LongTensor.

    Raises:
        InputError: fps not positive.
    """
    rate = Fraction(fps).limit_denominator(1001) if math.isfinite(fps) else Fraction(0)
    if rate <= 0:
        raise InputError(f"the frame rate is {fps} fps; it must be positive.")
    length = -(-count * FPS // rate)
    return torch.tensor([int(k * rate / FPS) for k in range(int(length))], dtype=torch.long)


def _median_filtered(curve: Tensor) -> Tensor:
    """Median over nine frames, zeros beyond the ends; [N] -> [N]."""
    half = MEDIAN_WINDOW // 2
    return F.pad(curve, (half, half)).unfold(0, MEDIAN_WINDOW, 1).median(dim=1).values
