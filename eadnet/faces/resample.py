"""Images seen through affine matrices, antialiased where they shrink."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Up to so many source pixels per result pixel the source is softened and sampled once per result pixel;
# beyond, each result pixel is the mean of many samples.
_SOFTENED = 3.0
TAPS = 4  # to each side
# The finest that passes in half, in shares of the finest that the result can show. A little more than all of
# it: faces put back unchanged lose less, and up to this step nothing is softened.
_SHARPNESS = 1.25
_MOST = 32
# Masks: up to so many source pixels per result pixel nothing is averaged.
_NO_AVERAGE = 1.25
# The mean over a pixel is the value at its middle and a 24th of the second derivative, which is taken off.
_FLATTENED = 1 / 24


def sample(
    images: Tensor,
    matrices: Tensor,
    size: tuple[int, int],
    mode: str = "bicubic",
    padding: str = "border",
    every: int = 1,
) -> Tensor:
    """Images through matrices; what is finer than the result's pixels is taken out first.

    Args:
        images: [n, C, h, w] floating point.
        matrices: [n, 2, 3] from *result* to source pixels, (0, 0) at the centre of the first pixel.
        size: (width, height) of the result.
        mode: "bicubic" for images, "bilinear" for masks.
        padding: "border" repeats the edge pixels, "zeros" puts nothing beyond.
        every: only each so many-th pixel across and down is worked out.

    Returns:
        [n, C, height / every, width / every] of the images' type. Bicubic values may overshoot. An image's
        result does not depend on the others.
    """
    matrices = matrices.cpu().double()
    densities = _densities(matrices, mode)
    if len(set(densities)) == 1:
        return _sample(images, matrices, size, densities[0], mode, padding, every)
    one_by_one = [
        _sample(images[i : i + 1], matrices[i : i + 1], size, density, mode, padding, every)
        for i, density in enumerate(densities)
    ]
    return torch.cat(one_by_one)


def _densities(matrices: Tensor, mode: str) -> list[tuple[int, int]]:
    """Samples needed per result pixel, (across, down), of each matrix [n, 2, 3] from result to source."""
    limit = _SOFTENED if mode == "bicubic" else _NO_AVERAGE
    steps = matrices[..., :2].norm(dim=-2)
    return [
        (1, 1) if max(across, down) <= limit else (_samples(across), _samples(down))
        for across, down in steps.tolist()
    ]


def _samples(step: float) -> int:
    return max(1, min(_MOST, math.ceil(step)))


def _sample(
    images: Tensor,
    matrices: Tensor,
    size: tuple[int, int],
    density: tuple[int, int],
    mode: str,
    padding: str,
    every: int,
) -> Tensor:
    across, down = density
    if mode == "bicubic" and density == (1, 1):
        for dim, row in ((-1, 0), (-2, 1)):
            images = _softened(images, matrices[:, row, :2].norm(dim=-1), dim)
    x, y = _positions(size[0], across, every), _positions(size[1], down, every)
    # Normalised coordinates of grid_sample without aligned corners: pixel i of n lies at (2i + 1) / n - 1.
    extent = torch.tensor([images.shape[3], images.shape[2]], dtype=torch.float64)
    linear = matrices[:, :, :2] * (2 / extent)[:, None]
    shift = (2 * matrices[:, :, 2] + 1) / extent - 1
    along = x[:, None] * linear[:, None, :, 0] + shift[:, None]  # [n, width, 2]
    grid = along[:, None].to(images) + (y[:, None] * linear[:, None, :, 1])[:, :, None].to(images)
    seen = F.grid_sample(images, grid, mode=mode, padding_mode=padding, align_corners=False)
    if across * down == 1:
        return seen
    means = F.avg_pool2d(seen, (down, across))
    # Of pixels that are left out nothing is known.
    return means if mode == "bilinear" or every > 1 else _flattened(means)


def _softened(images: Tensor, steps: Tensor, dim: int) -> Tensor:
    """Images without what is finer than ``steps`` [n] of their pixels along ``dim``, -1 or -2.

    A windowed sinc; a step of a pixel or a little more takes nothing away.
    """
    if float(steps.max()) <= _SHARPNESS:
        return images
    steps = (steps / _SHARPNESS).clamp(min=1)[:, None]
    at = torch.arange(TAPS + 1, dtype=torch.float64)
    kernels = torch.sinc(at / steps) * torch.cos(at * torch.pi / (2 * (TAPS + 1))) ** 2
    kernels = kernels / (2 * kernels.sum(dim=1, keepdim=True) - kernels[:, :1])
    weights = kernels.to(images)[:, :, None, None, None]
    room = (TAPS, TAPS, 0, 0) if dim == -1 else (0, 0, TAPS, TAPS)
    padded = F.pad(images, room, mode="replicate")
    count = images.shape[dim]
    result = images * weights[:, 0]
    for k in range(1, TAPS + 1):
        pair = padded.narrow(dim, TAPS - k, count) + padded.narrow(dim, TAPS + k, count)
        result.addcmul_(pair, weights[:, k])
    return result


def _flattened(means: Tensor) -> Tensor:
    """Means over pixels [n, C, h, w] -> what the image was at their middles, to second order."""
    padded = F.pad(means, (1, 1, 1, 1), mode="replicate")
    for dim in (-1, -2):
        count = padded.shape[dim] - 2
        sides = padded.narrow(dim, 0, count) + padded.narrow(dim, 2, count)
        padded = padded.narrow(dim, 1, count) * (1 + 2 * _FLATTENED) - sides * _FLATTENED
    return padded


def _positions(count: int, density: int, every: int) -> Tensor:
    """Where each ``every``-th of ``count`` pixels is sampled ``density`` times, in pixels; float64."""
    inside = (torch.arange(density, dtype=torch.float64) + 0.5) / density - 0.5
    return (torch.arange(0, count, every, dtype=torch.float64)[:, None] + inside).flatten()
