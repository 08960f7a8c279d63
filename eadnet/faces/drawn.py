"""Is an image drawn, like those that `mini` was trained on, or a photograph?

A drawing is flat between its lines, a photograph has grain and shading everywhere: the mean of the local
change over its lower quartile is large for one and small for the other. And the VAE, trained on drawings
only, reconstructs photographs badly, above all their detail. Neither tells sharp photographs from drawings
that were compressed or enlarged; together they do.

Chosen on 60 heads of the synthetic world, each as drawn, as JPEG of two qualities, enlarged from 64 pixels,
grey and dark, and on 54 photographs (docs/results/photographs.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .masks import mask_image

SIDE = 128
FLATTEST_PHOTOGRAPH = 4.0  # whatever is flatter is one; drawn heads have 4.4 and more
WORST_DRAWING = 23.5  # dB; drawn heads come back with 24.2 and more
PHOTOGRAPH = (
    "This looks like a photograph, and mini was trained on drawn heads only: the result will show a drawn "
    "face. Use the public LatentSync weights for photographs."
)
_BLUR = 2  # pixels
_BORDER = 2.53
_LUMA = (0.299, 0.587, 0.114)
_FACE = (slice(40, 110), slice(30, 98))


def line_contrast(pictures: Tensor) -> Tensor:
    """Crops [N, 3, R, R] in 0..1 -> mean over lower quartile of the local change in the face, [N]."""
    if pictures.shape[-1] != SIDE:
        pictures = F.interpolate(pictures.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    luma = torch.einsum("nchw,c->nhw", pictures.float(), torch.tensor(_LUMA, device=pictures.device))
    middle = luma[:, 1:-1, 1:-1]
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    change = (4 * middle - around).abs()[:, _FACE[0], _FACE[1]].flatten(1)
    return change.mean(1) / change.quantile(0.25, dim=1).clamp(min=1e-4)


def returned(pictures: Tensor, again: Tensor) -> Tensor:
    """PSNR in dB of crops [N, 3, R, R] in 0..1 and the same through a VAE, within the face, [N]."""
    region = mask_image("face", pictures.shape[-1]).to(pictures)
    squared = (again.clamp(0, 1) - pictures).square() * region
    return -10 * (squared.sum((1, 2, 3)) / (3 * region.sum())).clamp(min=1e-10).log10()


def lost_detail(pictures: Tensor, again: Tensor) -> Tensor:
    """The error of the same through a VAE as a share of the detail of crops [N, 3, R, R] in 0..1, [N]."""
    shown, back = (F.interpolate(p.float(), (SIDE, SIDE), mode="area") for p in (pictures, again))
    region = mask_image("face", SIDE).to(shown)
    detail = shown - _blurred(shown)
    ratio = ((back.clamp(0, 1) - shown).square() * region).sum((1, 2, 3)) / (
        (detail.square() * region).sum((1, 2, 3)).clamp(min=1e-9)
    )
    return ratio.sqrt()


def _blurred(pictures: Tensor) -> Tensor:
    """With a Gaussian of two pixels."""
    reach = 3 * _BLUR
    kernel = torch.exp(-torch.arange(-reach, reach + 1.0).square() / (2 * _BLUR**2)).to(pictures)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    across = F.conv2d(F.pad(pictures, (reach, reach, 0, 0), mode="replicate"), kernel, groups=3)
    return F.conv2d(F.pad(across, (0, 0, reach, reach), mode="replicate"), kernel.mT, groups=3)


def are_photographs(pictures: Tensor, again: Tensor) -> Tensor:
    """Which of the crops [N, 3, R, R] in 0..1 are no drawings as in the training of `mini`, bool [N].

    `again` is the same through its VAE.
    """
    contrast, quality = line_contrast(pictures), returned(pictures, again)
    lost = lost_detail(pictures, again).clamp(min=1e-6)
    looks = lost.log() - 0.25 * contrast.log() - 0.07 * quality + _BORDER
    return (contrast < FLATTEST_PHOTOGRAPH) | (quality < WORST_DRAWING) | (looks > 0)


def is_photograph(pictures: Tensor, again: Tensor) -> bool:
    """`are_photographs` of the first."""
    return bool(are_photographs(pictures[:1], again[:1]))
