"""The square of latents around what is generated: training elsewhere is work for nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LatentCrop:
    """A square of latent sites: its top row, left column and side."""

    top: int
    left: int
    side: int

    @classmethod
    def around(cls, region: Tensor, factor: int = 8, multiple: int = 4) -> LatentCrop:
        """The smallest square whose side is a multiple of `multiple` (for the U-Net's halvings) and that
        holds every site of which more than a fifth lies in `region` [1, R, R].
        """
        covered = F.avg_pool2d(region, factor)[0] > 0.2
        rows, columns = covered.any(1).nonzero().flatten(), covered.any(0).nonzero().flatten()
        extent = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1
        side = min(-(-extent // multiple) * multiple, covered.shape[0])
        top, left = (
            min(max(int(first + last + 1 - side) // 2, 0), covered.shape[0] - side)
            for first, last in ((rows[0], rows[-1]), (columns[0], columns[-1]))
        )
        return cls(top, left, side)

    def crop(self, latents: Tensor) -> Tensor:
        """The square out of [..., h, w]; what already has its size is left alone."""
        if tuple(latents.shape[-2:]) == (self.side, self.side):
            return latents
        return latents[..., self.top : self.top + self.side, self.left : self.left + self.side]
