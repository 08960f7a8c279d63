"""Finds upright heads that look at the camera, without any package or download.

The classic of Dalal and Triggs (2005): histograms of gradient directions in cells of a sliding window, and
one linear classifier. It was trained on drawn heads of `eadnet.synthetic` alone, against the same heads
shifted, scaled and turned, and against textures. What it is worth on drawings and on photographs is measured
in docs/results/photographs.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .framing import PORTRAIT_TEMPLATE

# What scores above this is a head, wherever it is; and where one is expected: few windows can be wrong there.
SURE, EXPECTED = 3.0, 1.5

_WEIGHTS = Path(__file__).with_name("heads.safetensors")
# In pixels: side of the square that shows a head as `mini` sees it, and of a cell.
_SIDE, _CELL, _DIRECTIONS = 64, 4, 9
# The window: brows to chin, ear to ear, of the square's 16 x 16 cells.
_TOP, _LEFT, _ROWS, _COLUMNS = 4, 3, 11, 10
_SMALLEST, _LARGEST, _STEP = 0.25, 1.25, 1.12  # heads' squares as shares of the picture's shorter side
_MOST_PIXELS = 400**2  # of the scaled picture: smaller heads of long pictures are not looked for


@dataclass(frozen=True)
class Head:
    """A head in a picture.

    score: above `SURE` it is one, where one is expected above `EXPECTED`.
    left, top, side: the square that shows it as a model of the portrait framing sees it, in pixels.
    """

    score: float
    left: float
    top: float
    side: float

    def points(self) -> np.ndarray:
        """Where the five points of an average face lie in it, [5, 2], in the order of `face.POINTS`."""
        return np.array([self.left, self.top]) + np.array(PORTRAIT_TEMPLATE) * self.side - 0.5


def find_heads(picture: np.ndarray, most: int = 8) -> list[Head]:
    """The heads in a picture uint8 [H, W, 3], best first, and where there is none, the place that looks most
    like one.
    """
    height, width = picture.shape[:2]
    pixels = torch.tensor(picture).permute(2, 0, 1)[None].float() / 255
    found: list[Head] = []
    sides = [_LARGEST / _STEP**k for k in range(math.ceil(math.log(_LARGEST / _SMALLEST, _STEP)) + 1)]
    for share in sides:
        side = share * min(height, width)
        size = [max(_CELL, round(length * _SIDE / side)) for length in (height, width)]
        if size[0] * size[1] > _MOST_PIXELS:
            break
        small = (
            pixels
            if size == [height, width]
            else F.interpolate(pixels, size, mode="bilinear", antialias=True)
        )
        found += _heads(small, (height / size[0], width / size[1]))
    return _apart(sorted(found, key=lambda head: -head.score))[:most]


def _heads(picture: Tensor, scale: tuple[float, float]) -> list[Head]:
    """The best windows of a picture [1, 3, h, w] that was ``scale`` (down, across) times as large."""
    room = 2 * _CELL  # a head may touch the edge
    down, across = (-(-length // _CELL) * _CELL - length for length in picture.shape[2:])
    padded = F.pad(picture, (room, room + across, room, room + down), mode="replicate")
    if padded.shape[2] < _ROWS * _CELL or padded.shape[3] < _COLUMNS * _CELL:
        return []
    weights, bias = _classifier()
    scores = F.conv2d(_cells(padded), weights[None], bias)[0, 0]
    count = min(4, scores.numel())
    best = scores.flatten().topk(count)
    heads = []
    for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, column = divmod(index, scores.shape[1])
        row_off, column_off = _peak(scores, row, column)
        heads.append(
            Head(
                score,
                ((column + column_off - _LEFT) * _CELL - room) * scale[1],
                ((row + row_off - _TOP) * _CELL - room) * scale[0],
                _SIDE * (scale[0] + scale[1]) / 2,
            )
        )
    return heads


def _peak(scores: Tensor, row: int, column: int) -> tuple[float, float]:
    """How far beside a cell the top of the parabola through it and its neighbours lies, down and across."""

    def off(before: float, here: float, after: float) -> float:
        bend = before - 2 * here + after
        return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))

    rows, columns = scores.shape
    here = float(scores[row, column])
    down = (
        off(float(scores[row - 1, column]), here, float(scores[row + 1, column]))
        if 0 < row < rows - 1
        else 0.0
    )
    across = 0.0
    if 0 < column < columns - 1:
        across = off(float(scores[row, column - 1]), here, float(scores[row, column + 1]))
    return down, across


def _cells(picture: Tensor) -> Tensor:
    """Pictures [N, 3, H, W] in 0..1, multiples of a cell -> [N, 27, H / cell, W / cell]."""
    around = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]
    down = around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]
    strongest = (across.square() + down.square()).argmax(1, keepdim=True)  # of the three colours
    across, down = across.gather(1, strongest), down.gather(1, strongest)
    strength = (across.square() + down.square()).sqrt()
    bins = 2 * _DIRECTIONS
    place = (torch.atan2(down, across) / (2 * math.pi) * bins) % bins
    far = (place - torch.arange(bins).view(1, -1, 1, 1)).abs()
    votes = (1 - torch.minimum(far, bins - far)).clamp(min=0) * strength
    tent = torch.tensor([1.0, 3, 5, 7, 7, 5, 3, 1]) / 8
    kernel = (tent[:, None] * tent / _CELL**2).expand(bins, 1, -1, -1)
    signed = F.conv2d(F.pad(votes, (2, 2, 2, 2)), kernel, stride=_CELL, groups=bins)
    unsigned = signed[:, :_DIRECTIONS] + signed[:, _DIRECTIONS:]
    energy = F.pad(unsigned.square().sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    blocks = F.avg_pool2d(energy, 2, 1) * 4
    values = torch.zeros(1)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            scale = (blocks[:, :, rows, columns] + 2e-3).rsqrt()
            values = values + (torch.cat([signed, unsigned], 1) * scale).clamp(max=0.25)
    return values / 2


def _apart(heads: list[Head]) -> list[Head]:
    """Heads, best first, without those that overlap a better one."""
    kept: list[Head] = []
    for head in heads:
        if all(_overlap(head, other) < 0.3 for other in kept):
            kept.append(head)
    return kept


def _overlap(a: Head, b: Head) -> float:
    """Intersection over union of two heads' squares."""
    across = min(a.left + a.side, b.left + b.side) - max(a.left, b.left)
    down = min(a.top + a.side, b.top + b.side) - max(a.top, b.top)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (a.side**2 + b.side**2 - shared)


@lru_cache(1)
def _classifier() -> tuple[Tensor, Tensor]:
    """(weights [27, rows, columns], bias [1]) of the window."""
    from safetensors.torch import load_file

    tensors = load_file(_WEIGHTS)
    return tensors["weights"].float(), tensors["bias"].float()
