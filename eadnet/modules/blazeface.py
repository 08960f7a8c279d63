"""BlazeFace, the short-range face detector of MediaPipe's face landmarker (arXiv 1907.05047).

Boxes and six points of faces that fill a good part of a picture of 128 pixels. The layers stand in the order
in which the published graph runs them: `eadnet.convert` fills them in that order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 128
POINTS = 6  # right eye, left eye, nose tip, mouth, right ear, left ear; right is the person's
# (inputs, outputs, stride) of each block, down to 16 x 16 pixels and from there to 8 x 8.
_TO_16 = (
    *((24, 24, 1), (24, 28, 1), (28, 32, 2), (32, 36, 1), (36, 42, 1), (42, 48, 2), (48, 56, 1)),
    *((56, 64, 1), (64, 72, 1), (72, 80, 1), (80, 88, 1)),
)
_TO_8 = ((88, 96, 2), (96, 96, 1), (96, 96, 1), (96, 96, 1), (96, 96, 1))
_ANCHORS = ((16, 2), (8, 6))  # (cells across and down, anchors in each cell)


class _Block(nn.Module):
    """Separable convolution beside a shortcut; missing channels of the shortcut are 0."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        padding = 1 if stride == 1 else 0
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        if self.stride == 2:  # TensorFlow pads an even side at its far end only
            x, shortcut = F.pad(x, (0, 1, 0, 1)), F.max_pool2d(x, 2)
        if self.added:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.added))
        return F.relu(self.pointwise(self.depthwise(x)) + shortcut)


class BlazeFace(nn.Module):
    """Pictures [B, 3, 128, 128] in [-1, 1] -> scores [B, 896] in 0..1 and faces [B, 896, 16].

    A face is x, y of its box's middle, its width and height, then x, y of the six `POINTS`, all as shares of
    the picture.
    """

    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 5, 2)
        self.to_16 = nn.Sequential(*(_Block(*sizes) for sizes in _TO_16))
        self.to_8 = nn.Sequential(*(_Block(*sizes) for sizes in _TO_8))
        self.scores_16, self.scores_8 = nn.Conv2d(88, 2, 1), nn.Conv2d(96, 6, 1)
        self.faces_16, self.faces_8 = nn.Conv2d(88, 32, 1), nn.Conv2d(96, 96, 1)
        self.register_buffer("anchors", _anchors(), persistent=False)

    @property
    def config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BlazeFace:
        return cls(**config)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.to_16(F.relu(self.first(F.pad(pictures, (1, 2, 1, 2)))))
        coarse = self.to_8(fine)
        scores = torch.cat([_rows(self.scores_16(fine), 1), _rows(self.scores_8(coarse), 1)], dim=1)
        faces = torch.cat([_rows(self.faces_16(fine), 16), _rows(self.faces_8(coarse), 16)], dim=1)
        faces = faces / SIDE
        places = faces.unflatten(2, (-1, 2)) + self.anchors.to(faces)[:, None]
        boxes = torch.cat([places[:, :, :1], faces.unflatten(2, (-1, 2))[:, :, 1:2], places[:, :, 2:]], dim=2)
        return scores[..., 0].clamp(-100, 100).sigmoid(), boxes.flatten(2)


def _rows(grid: Tensor, numbers: int) -> Tensor:
    """[B, n * numbers, H, W] -> [B, H * W * n, numbers]: cell by cell, row by row."""
    return grid.permute(0, 2, 3, 1).reshape(len(grid), -1, numbers)


def _anchors() -> Tensor:
    """[896, 2]: the middle of each anchor's cell, as shares of the picture."""
    parts = []
    for cells, each in _ANCHORS:
        y, x = (np.mgrid[:cells, :cells].astype(np.float32) + 0.5) / cells
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    # Made by NumPy: a network that is built without memory, on torch's meta device, keeps these numbers.
    return torch.from_numpy(np.concatenate(parts))
