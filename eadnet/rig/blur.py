"""Gaussian blurs of small pictures and masks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Pictures [N, C, H, W] under a Gaussian of `sigma` pixels; edges are continued."""
    if sigma < 0.2:
        return image
    radius = max(1, math.ceil(2.7 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image.dtype)
    channels = image.shape[1]
    result = image
    for shape, pad in (((1, 1, 1, -1), (radius, radius, 0, 0)), ((1, 1, -1, 1), (0, 0, radius, radius))):
        weight = kernel.reshape(shape).expand(channels, 1, *kernel.reshape(shape).shape[2:])
        result = F.conv2d(F.pad(result, pad, mode="replicate"), weight, groups=channels)
    return result


def diffused(image: Tensor, known: Tensor, sigmas: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Fill what is not known from what is, at the finest scale that reaches it.

    image [C, H, W], known [H, W] 0..1 -> (filled [C, H, W], how much of each pixel could be filled [H, W]).
    """
    weight, held = known[None, None], (image * known)[None]
    total = torch.zeros_like(held)
    share = torch.zeros_like(weight)
    for sigma in sigmas:
        near = blurred(weight, sigma)
        take = (near * 40).clamp(0, 1) * (1 - share)
        total = total + take * blurred(held, sigma) / near.clamp(min=1e-4)
        share = share + take
    filled = total / share.clamp(min=1e-4)
    result = torch.where(known[None, None] > 0.5, image[None], filled)
    return result[0], torch.maximum(share, weight)[0, 0]
