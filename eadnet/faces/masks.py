"""Which part of an aligned face crop is generated, and the mask that the U-Net gets.

Two complementary masks exist and are easily confused, so both have a name here:

* the *region* is 1 where pixels are to be generated (what a person would paint);
* the *keep mask* is ``1 - region``. LatentSync (arXiv 2412.09262) feeds this one to the U-Net as its mask
  channel, and multiplies the image in [-1, 1] with it, so hidden pixels become mid grey.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError, no_such

REGIONS = ("face", "lower_face", "mouth")


def _pixel_centres(resolution: int) -> tuple[Tensor, Tensor]:
    """Coordinates in [0, 1] of the pixel centres: y as a column, x as a row."""
    centres = (torch.arange(resolution, dtype=torch.float64) + 0.5) / resolution
    return centres[:, None], centres[None, :]


def _superellipse(
    y: Tensor, x: Tensor, centre: tuple[float, float], radii: tuple[float, float], power: float
) -> Tensor:
    """Inside of ``|dx/rx|^power + |dy/ry|^power <= 1``; centre and radii are (x, y)."""
    return ((x - centre[0]).abs() / radii[0]) ** power + ((y - centre[1]).abs() / radii[1]) ** power <= 1


def _face(y: Tensor, x: Tensor) -> Tensor:
    """Brows to chin. Reconstruction: the expression needs the brows, which LatentSync's mask leaves out."""
    return _superellipse(y, x, centre=(0.5, 0.60), radii=(0.33, 0.36), power=2.5)


def _lower_face(y: Tensor, x: Tensor) -> Tensor:
    """Cheeks, mouth and chin over nearly the full width; the nose between the cheeks stays.

    A half ellipse, carried on upwards by a band with straight sides that leaves a gap for the nose.
    Reconstruction: a described shape that covers what LatentSync's fixed mask image covers, not a copy
    of it.
    """
    across, down = (x - 0.5).abs(), (y - 0.5).clamp(min=0)
    nose = (across < 0.195) & (y < 0.5)
    return ((across / 0.465) ** 2 + (down / 0.455) ** 2 <= 1) & (y >= 0.365) & ~nose


def _mouth(y: Tensor, x: Tensor) -> Tensor:
    """The mouth with room to open. Reconstruction."""
    return _superellipse(y, x, centre=(0.5, 0.76), radii=(0.24, 0.17), power=2.0)


_SHAPES = {"face": _face, "lower_face": _lower_face, "mouth": _mouth}


def mask_image(region: str, resolution: int) -> Tensor:
    """The named region of an aligned crop as [1, R, R] float32, 1 where pixels are to be generated.

    Raises InputError for a name outside ``REGIONS`` or a resolution below 8 pixels.
    """
    if region not in _SHAPES:
        raise InputError(no_such("mask region", region, REGIONS))
    if resolution < 8:
        raise InputError(f"A mask of {resolution} pixels is too small: use a resolution of at least 8.")
    return _SHAPES[region](*_pixel_centres(resolution)).float()[None]


def keep_mask(region: Tensor) -> Tensor:
    """1 where the image stays, the polarity the U-Net's mask channel has in LatentSync. Any shape."""
    return 1 - region


def latent_mask(region: Tensor, factor: int = 8) -> Tensor:
    """Region [..., 1, R, R] -> the U-Net's mask channel [..., 1, R/factor, R/factor]: keep mask, nearest
    pixel.

    Nearest takes the top left pixel of each cell, as LatentSync's resize does.
    """
    return keep_mask(region)[..., ::factor, ::factor].contiguous()


def masked_picture(picture: Tensor, region: Tensor) -> Tensor:
    """Hide the region of ``picture`` [..., 3, R, R] in [-1, 1]: hidden pixels become 0, mid grey."""
    return picture * keep_mask(region).to(picture)


def feathered(region: Tensor, radius: int) -> Tensor:
    """Soften the edge of a region [..., 1, R, R] inwards over about ``radius`` pixels.

    Inwards only: every pixel outside the region keeps weight 0 exactly, so a composite leaves it bit-exact.
    """
    if radius <= 0:
        return region
    softened = region.reshape(-1, 1, *region.shape[-2:])
    inside = softened
    # Squares are rows of columns: passes along lines instead of one over areas, which took half a second.
    for dim in (-1, -2):
        softened = _lowest(softened, radius, dim)
    for dim in (-1, -2):
        softened = _mean(softened, radius, dim)
    return (softened * inside).reshape(region.shape)


def _room(radius: int, dim: int) -> tuple[int, int, int, int]:
    return (radius, radius, 0, 0) if dim == -1 else (0, 0, radius, radius)


def _lowest(values: Tensor, radius: int, dim: int) -> Tensor:
    """The lowest within ``radius`` along ``dim``, -1 or -2; by windows that double."""
    count, window, width = values.shape[dim], 2 * radius + 1, 1
    values = F.pad(values, _room(radius, dim), value=float("inf"))
    while width < window:
        step = min(width, window - width)
        left = values.shape[dim] - step
        values = torch.minimum(values.narrow(dim, 0, left), values.narrow(dim, step, left))
        width += step
    return values.narrow(dim, 0, count)


def _mean(values: Tensor, radius: int, dim: int) -> Tensor:
    """The mean within ``radius`` along ``dim``, -1 or -2; beyond the edge the edge is repeated."""
    count, window = values.shape[dim], 2 * radius + 1
    # On the processor, as MPS has no float64.
    sums = F.pad(values.cpu(), _room(radius, dim), mode="replicate").double().cumsum(dim)
    sums = F.pad(sums, (1, 0) if dim == -1 else (0, 0, 1, 0))
    means = (sums.narrow(dim, window, count) - sums.narrow(dim, 0, count)) / window
    return means.float().to(values)


def composite(generated: Tensor, original: Tensor, weight: Tensor) -> Tensor:
    """``generated`` where weight is 1, ``original`` (bit-exact) where it is 0. Shapes broadcast."""
    weight = weight.to(generated)
    return torch.where(weight > 0, original + (generated - original) * weight, original)
