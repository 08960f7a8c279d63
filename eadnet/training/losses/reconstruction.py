"""What the VAE's pictures cost: pixels, edges, colours, and changes from frame to frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Without a weight of their own, colours lose to edges: four channels then hold a grey picture.
COLOUR_WEIGHT = 2.0


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def _chroma(x: Tensor) -> Tensor:
    """Red against green, and blue against both: the picture without its brightness, [B, 2, H, W]."""
    red, green, blue = x.unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], 1)


def reconstruction_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 on pixels, on their differences at two scales, which keeps edges of lids and lips, and on
    colour at half size.
    """
    loss = (weight * (output - target).abs()).mean()
    for scale in (1, 2):
        a, b = (F.avg_pool2d(v, scale) for v in (output, target))
        w = F.avg_pool2d(weight, scale)
        for da, db in zip(_gradients(a), _gradients(b), strict=True):
            loss = loss + (w[..., : da.shape[-2], : da.shape[-1]] * (da - db).abs()).mean()
    colours = (F.avg_pool2d(_chroma(v), 2) for v in (output, target))
    return loss + COLOUR_WEIGHT * (F.avg_pool2d(weight, 2) * torch.sub(*colours).abs()).mean()


def detail_weight(target: Tensor, region: Tensor) -> Tensor:
    """The face counts three times, and its busy pixels (eyes, lips, brows) more than its cheeks."""
    local = F.avg_pool2d(target.mean(1, keepdim=True), 9, 1, 4, count_include_pad=False)
    busy = (target.mean(1, keepdim=True) - local).abs().clamp(max=0.5)
    return 0.3 + region * (0.7 + 4 * busy)


def motion_loss(output: Tensor, target: Tensor, part: Tensor) -> Tensor:
    """L1 between the changes of pairs [B, 2, 3, H, W], in the face [B, 1, H, W] alone."""
    wrong = (output.diff(dim=1) - target.diff(dim=1)).abs().squeeze(1)
    return (part * wrong).mean()
