"""The face mesh of MediaPipe's face landmarker: 478 points with depth (arXiv 1907.06724, 2006.10962).

The layers stand in the order in which the published graph runs them: `eadnet.convert` fills them in that
order.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 256
POINTS = 478  # 468 of the skin, then five of each iris
# (channels, channels inside its blocks) from 128 x 128 pixels down to 2 x 2, four more blocks at each.
_STAGES = ((16, 8), (32, 16), (64, 32), (128, 64), (128, 64), (128, 64), (128, 64))


class _Block(nn.Module):
    """A bottleneck beside a shortcut. At half the size, the shortcut is pooled and its new channels are 0."""

    def __init__(self, inputs: int, inside: int, outputs: int, halved: bool = False) -> None:
        super().__init__()
        self.halved, self.added = halved, outputs - inputs
        self.narrow = nn.Conv2d(inputs, inside, 2, 2) if halved else nn.Conv2d(inputs, inside, 1)
        self.slopes = nn.PReLU(inside)
        self.depthwise = nn.Conv2d(inside, inside, 3, padding=1, groups=inside)
        self.widen = nn.Conv2d(inside, outputs, 1)
        self.slopes_out = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.max_pool2d(x, 2) if self.halved else x
        if self.added:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        inside = self.widen(self.depthwise(self.slopes(self.narrow(x))))
        return self.slopes_out(inside.add_(shortcut))


class FaceMesh(nn.Module):
    """Face crops [B, 3, 256, 256] in [0, 1] -> points [B, 478, 3] in pixels of the crop, score [B] in 0..1.

    The points' x and y count from the crop's corner; depth grows away from the camera. The score says
    whether the crop shows a face. `forward` computes; what its third head finds, a tongue, is not used.
    """

    def __init__(self) -> None:
        super().__init__()
        width = _STAGES[0][0]
        self.first, self.first_slopes = nn.Conv2d(3, width, 3, 2), nn.PReLU(width)
        blocks: list[nn.Module] = []
        for place, (outputs, inside) in enumerate(_STAGES):
            if place:
                blocks.append(_Block(width, inside, outputs, halved=True))
            blocks += [_Block(outputs, inside, outputs) for _ in range(4)]
            width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.tongue = nn.Conv2d(width, 1, 2)
        self.presence = nn.Conv2d(width, 1, 2)
        self.points = nn.Conv2d(width, 3 * POINTS, 2)

    @property
    def config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FaceMesh:
        return cls(**config)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first_slopes(self.first(F.pad(crops, (0, 1, 0, 1))))
        x = self.blocks(x)
        # Coordinates up to 256 have steps of an eighth of a pixel in half precision: the last layer has none.
        points = F.conv2d(x.float(), self.points.weight.float(), self.points.bias.float())  # type: ignore[union-attr]
        return points.reshape(-1, POINTS, 3), self.presence(x).float().reshape(-1).sigmoid()
