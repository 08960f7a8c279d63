"""Pictures seen through affine matrices, antialiased where they shrink."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Up to so many source pixels per result pixel nothing is averaged: a bicubic sample is good enough.
_NO_AVERAGE = 1.25
_MOST = 32


def sample(
    images: Tensor, matrices: Tensor, size: tuple[int, int], mode: str = "bicubic", padding: str = "border"
) -> Tensor:
    """Pictures through matrices: each result pixel is the mean over its own area.

    Args:
        images: [n, C, h, w] floating point.
        matrices: [n, 2, 3] from *result* to source pixels, (0, 0) at the centre of the first pixel.
        size: (width, height) of the result.
        mode: "bicubic" or "bilinear".
        padding: "border" repeats the edge pixels, "zeros" puts nothing beyond.

    Returns:
        [n, C, height, width] of the images' type. Bicubic values may overshoot. A picture's result does not
        depend on the others.
    """
    matrices = matrices.double().cpu()
    densities = _densities(matrices)
    if len(set(densities)) == 1:
        return _sample(images, matrices, size, densities[0], mode, padding)
    one_by_one = [
        _sample(images[i : i + 1], matrices[i : i + 1], size, density, mode, padding)
        for i, density in enumerate(densities)
    ]
    return torch.cat(one_by_one)


def _densities(matrices: Tensor) -> list[tuple[int, int]]:
    """Samples needed per result pixel, (across, down), of each matrix [n, 2, 3] from result to source."""
    steps = matrices[..., :2].norm(dim=-2).tolist()
    return [(_samples(across), _samples(down)) for across, down in steps]


def _samples(step: float) -> int:
    return 1 if step <= _NO_AVERAGE else min(_MOST, math.ceil(step))


def _sample(
    images: Tensor,
    matrices: Tensor,
    size: tuple[int, int],
    density: tuple[int, int],
    mode: str,
    padding: str,
) -> Tensor:
    across, down = density
    y, x = torch.meshgrid(_positions(size[1], down), _positions(size[0], across), indexing="ij")
    # Normalised coordinates of grid_sample without aligned corners: pixel i of n lies at (2i + 1) / n - 1.
    extent = torch.tensor([images.shape[3], images.shape[2]], dtype=torch.float64)
    linear = matrices[:, :, :2] * (2 / extent)[:, None]
    shift = (2 * matrices[:, :, 2] + 1) / extent - 1
    linear, shift = linear.to(images), shift.to(images)
    x, y = x.to(images)[..., None], y.to(images)[..., None]
    grid = x * linear[:, None, None, :, 0] + y * linear[:, None, None, :, 1] + shift[:, None, None]
    seen = F.grid_sample(images, grid, mode=mode, padding_mode=padding, align_corners=False)
    return F.avg_pool2d(seen, (down, across)) if across * down > 1 else seen


def _positions(count: int, density: int) -> Tensor:
    """Where ``count`` pixels are sampled ``density`` times each, in pixels; float64."""
    return (torch.arange(count * density, dtype=torch.float64) + 0.5) / density - 0.5
