"""Overlapping windows over time, so that a clip of any length fits a model that sees 16 frames.

The windows are denoised together, step by step, and the model's outputs are averaged where they overlap
(the idea of MultiDiffusion, arXiv 2302.08113, along time): one trajectory per frame, therefore no seam to
hide afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError

Window = tuple[int, int]


def windows(num_frames: int, window: int, overlap: int) -> list[Window]:
    """Half-open (start, stop) frame ranges that cover 0..num_frames, each of min(window, num_frames) frames.

    Neighbours share at least ``overlap`` frames; the last window is moved back to end with the clip, so no
    remainder is padded or dropped. Earlier windows do not depend on the clip's length.
    Raises InputError for num_frames < 1, window < 1, or an overlap outside 0..window - 1.
    """
    if num_frames < 1:
        raise InputError("There are no frames to generate: the audio is empty or shorter than half a frame.")
    if window < 1:
        raise InputError(f"window (context_length) is {window} frames: use at least 1.")
    if not 0 <= overlap < window:
        raise InputError(
            f"overlap (context_overlap) is {overlap} frames: use 0 to {window - 1} for a window of {window}."
        )
    if num_frames <= window:
        return [(0, num_frames)]
    starts = list(range(0, num_frames - window, window - overlap)) + [num_frames - window]
    return [(start, start + window) for start in starts]


def blend_weights(parts: list[Window]) -> list[Tensor]:
    """For each window a weight per frame [n]; at every frame the weights of all windows sum to 1.

    Each window's raw weight rises linearly over the overlap with its neighbour; clip ends are not faded.
    """
    raw = []
    for index, (start, stop) in enumerate(parts):
        rise = parts[index - 1][1] - start if index > 0 else 0
        fall = stop - parts[index + 1][0] if index + 1 < len(parts) else 0
        frame = torch.arange(stop - start, dtype=torch.float64)
        up = ((frame + 1) / (rise + 1)).clamp(max=1)
        down = ((stop - start - frame) / (fall + 1)).clamp(max=1)
        raw.append(torch.minimum(up, down))
    total = torch.zeros(max(stop for _, stop in parts), dtype=torch.float64)
    for (start, stop), weight in zip(parts, raw, strict=True):
        total[start:stop] += weight
    return [(weight / total[start:stop]).float() for (start, stop), weight in zip(parts, raw, strict=True)]
