"""From any image to the square crop the model works on."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError

GREY = 0.5
_LOWEST, _HIGHEST = -0.5, 4.0  # farther than scaling, sharpening and highlights go


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
            f"The {name} must be floating point in 0 to 1, got {image.dtype}: divide by "
            f"{255 if image.dtype == torch.uint8 else 'the largest value of its type'} first."
        )
    if not torch.isfinite(image).all():
        raise InputError(f"The {name} contains values that are not finite: check the node that made it.")


def check_frames(images: Tensor, name: str = "images", look: Callable[[], object] = lambda: None) -> None:
    """Raise InputError, which says ``name``, unless all of a batch are pictures (see `check_pictures`) with
    values around 0 to 1.

    A little beyond the range is usual after scaling and sharpening, and clipped; far beyond it they are
    bytes, or -1 to 1, and would come out white, or half black. ``look`` is called before each, and may raise.
    """
    check_pictures(images[:1] if images.ndim else images, name)
    for number, image in enumerate(images):
        look()
        low, high = (float(value) for value in image.detach().aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError(
                f"The {name} contains values that are not finite, in frame {number}: check the node that "
                "made it."
            )
        if low < _LOWEST or high > _HIGHEST:
            raise InputError(
                f"The {name} has values from {low:.4g} to {high:.4g} in frame {number}, and images go from 0 "
                f"to 1: {_remedy(low, high)}."
            )


def _remedy(low: float, high: float) -> str:
    if low < _LOWEST and high <= 1.5 and low >= -1.5:
        return "add 1 and divide by 2 first"
    if low >= _LOWEST and high > 16:
        return f"divide by {255 if high <= 256 else 65535} first" if high <= 65536 else "scale it first"
    return "scale it, or map its tones, to 0 to 1 first"


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
