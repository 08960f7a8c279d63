"""Numbers that more than one experiment takes of pictures."""

from __future__ import annotations

from torch import Tensor


def acceleration(frames: Tensor, region: Tensor) -> float:
    """Mean absolute second difference over time of [T, 3, H, W] within the region [1, H, W]."""
    second = frames[2:] - 2 * frames[1:-1] + frames[:-2]
    return float((second.abs() * region).sum() / (region.sum() * 3 * len(second)))
