"""Is an image drawn, like those that `mini` was trained on, or a photograph?

A drawing is flat between its lines, a photograph has grain and shading everywhere: the mean of the local
change over its lower quartile is large for one and small for the other. Sharp, contrasty photographs pass for
drawings by that, but the VAE, trained on drawings only, reconstructs them badly.

Measured on 448 heads of the synthetic world and 22 stills of people, a statue and a painting
(docs/results/photographs.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .masks import mask_image

SIDE = 128
FLATTEST_PHOTOGRAPH = 7.5  # heads of the world have 8.3 and more
WORST_DRAWING = 25.0  # dB; heads of the world come back with 26.4 and more
PHOTOGRAPH = (
    "This looks like a photograph, and mini was trained on drawn heads only: the result will show a drawn "
    "face. Use the public LatentSync weights for photographs."
)
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


def is_photograph(pictures: Tensor, again: Tensor) -> bool:
    """Whether the first of the crops [N, 3, R, R] in 0..1 is no drawing as in the training of `mini`.

    `again` is the same through its VAE.
    """
    contrast, quality = line_contrast(pictures[:1]), returned(pictures[:1], again[:1])
    return bool((contrast < FLATTEST_PHOTOGRAPH) | (quality < WORST_DRAWING))
