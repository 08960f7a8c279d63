"""From any image to the square crop the model works on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError

GREY = 0.5


def without_alpha(image: Tensor) -> Tensor:
    """Images [B, H, W, C] in [0, 1] with 1 to 4 channels -> [B, H, W, 3], transparency laid on mid grey."""
    channels = image.shape[-1]
    if channels in (2, 4):
        alpha = image[..., -1:]
        image = image[..., :-1] * alpha + GREY * (1 - alpha)
    return image.expand(*image.shape[:-1], 3) if image.shape[-1] == 1 else image


def centre_square(image: Tensor) -> Tensor:
    """The largest centred square of [B, C, H, W]."""
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[..., top : top + side, left : left + side]


def resize(image: Tensor, resolution: int) -> Tensor:
    """Antialiased bicubic resize of [B, C, H, W] in [0, 1] to a square; overshoot is clipped."""
    if image.shape[-2:] == (resolution, resolution):
        return image
    size = (resolution, resolution)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def check_pictures(image: Tensor, name: str = "image") -> None:
    """Raise InputError, which says ``name``, unless ``image`` is a non-empty float batch [B, H, W, 1..4] of
    finite numbers.
    """
    if image.ndim != 4 or not 1 <= image.shape[-1] <= 4 or 0 in image.shape:
        raise InputError(
            f"The {name} must have the shape [batch, height, width, 1 to 4 channels] with at least one "
            f"pixel, got {list(image.shape)}: connect an IMAGE."
        )
    if not image.is_floating_point():
        raise InputError(
            f"The {name} must be floating point in 0 to 1, got {image.dtype}: divide by 255 first."
        )
    if not torch.isfinite(image).all():
        raise InputError(f"The {name} contains values that are not finite: check the node that made it.")


def prepare_portrait(image: Tensor, resolution: int) -> Tensor:
    """Images [B, H, W, C] in [0, 1] -> centred square crops [B, 3, R, R] float32 in [-1, 1].

    Grey, RGB and RGBA in any float type and any size from 1x1 are accepted; values outside [0, 1] are
    clipped. Raises InputError for anything else (see `check_pictures`).
    """
    check_pictures(image)
    pixels = without_alpha(image.float().clamp(0, 1)).permute(0, 3, 1, 2)
    return resize(centre_square(pixels), resolution).contiguous() * 2 - 1


def to_pictures(crops: Tensor) -> Tensor:
    """Crops [B, 3, R, R] in [-1, 1] -> images [B, R, R, 3] float32 in [0, 1]."""
    return (crops.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).contiguous()
