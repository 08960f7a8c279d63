"""Reading a picture between its pixels: as sharp as bicubic interpolation, and several times as fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .patch import Box
from .warp import pixels

_AT_ONCE = 1 << 20  # pixels of frames that are read in one go
MOST = 5_000_000  # pixels that are kept finer: the copy takes four times their memory
# Of the four pixels around a middle. Bicubic interpolation (a = -3/4) has -3/32 and 19/32 there; 1/64 more,
# as the chords on both sides of the middle run below the curve (see `finer`).
_OUTER, _INNER = -7 / 64, 39 / 64


@dataclass(frozen=True, eq=False)
class Source:
    """The part of a picture that frames are read from.

    planes: [C, h, w] float32 in 0..255, or where it is `fine` [C, 2 h - 1, 2 w - 1], see `finer`. box: where
    it lies in the picture.
    """

    planes: Tensor
    box: Box
    fine: bool

    @classmethod
    def of(cls, picture: Tensor, region: Box, margin: float, fine: bool = True) -> Source:
        """Of a picture [C, H, W], a region and so many pixels around it; where it is not too large, finer."""
        height, width = picture.shape[1:]
        pad = int(margin) + 1
        x0, y0 = max(0, region[0] - pad), max(0, region[1] - pad)
        x1, y1 = min(width, region[2] + pad), min(height, region[3] + pad)
        part = picture[:, y0:y1, x0:x1]
        fine = fine and part.shape[1] * part.shape[2] <= MOST
        return cls(finer(part) if fine else part.contiguous(), (x0, y0, x1, y1), fine)

    def to(self, device: torch.device) -> Source:
        return replace(self, planes=self.planes.to(device))

    @property
    def channels(self) -> int:
        return self.planes.shape[0]

    def in_box(self, moves: Tensor, box: Box) -> Tensor:
        """What the pixels of a box show that come from `moves` [T, 2, h, w] pixels away: [T, C, h, w]."""
        x, y = pixels(box, moves.device)
        (by_x, by_y), (x0, y0) = self._scale, self.box[:2]
        places = torch.empty_like(moves, memory_format=torch.contiguous_format)
        torch.add((x - x0) * by_x - 1, moves[:, 0], alpha=by_x, out=places[:, 0])
        torch.add((y - y0) * by_y - 1, moves[:, 1], alpha=by_y, out=places[:, 1])
        return self._read(places)

    def over(self, moves: Tensor, region: Box) -> Iterator[Tensor]:
        """The same for a whole region, from displacements [T, gh, gw, 2] pixels on its grid: [n, C, h, w] for
        T frames, `together` at a time.

        Places are as linear between the grid's nodes as displacements are, so they are what is made larger.
        """
        rows, columns = moves.shape[1:3]
        x = torch.linspace(region[0], region[2] - 1, columns, device=moves.device)
        y = torch.linspace(region[1], region[3] - 1, rows, device=moves.device)
        (by_x, by_y), (x0, y0) = self._scale, self.box[:2]
        nodes = torch.stack(
            [(moves[..., 0] + (x - x0)) * by_x - 1, (moves[..., 1] + (y - y0)[:, None]) * by_y - 1], 1
        )
        size = (region[3] - region[1], region[2] - region[0])
        for part in nodes.split(together(size, moves.device)):
            yield self._read(F.interpolate(part, size, mode="bilinear", align_corners=True))

    @property
    def _scale(self) -> tuple[float, float]:
        """From pixels to grid_sample's -1..1."""
        x0, y0, x1, y1 = self.box
        return 2 / max(1, x1 - x0 - 1), 2 / max(1, y1 - y0 - 1)

    def _read(self, places: Tensor) -> Tensor:
        """At places [T, 2, h, w]: x and y apart, as the processor reads them quickest."""
        planes = self.planes[None].expand(len(places), -1, -1, -1)
        mode = "bilinear" if self.fine else "bicubic"
        return F.grid_sample(planes, places.permute(0, 2, 3, 1), mode, "border", align_corners=True)


def together(size: tuple[int, int], device: torch.device) -> int:
    """How many frames of `size` (h, w) are best read at once.

    Large ones one by one on a processor: what is allocated for several is given back to the system each time,
    and its pages are cleared anew (a fifth of the processor time of a frame of 1080 x 1080). As many as torch
    has threads, though, as `grid_sample` gives each of them whole frames.
    """
    if device.type != "cpu":
        return 1 << 30
    return max(torch.get_num_threads(), _AT_ONCE // (size[0] * size[1]))


def finer(picture: Tensor) -> Tensor:
    """A picture [C, H, W] with a value more between any two: [C, 2 H - 1, 2 W - 1].

    Reading it bilinearly stands in for reading the picture bicubically, with 4 values instead of 16. Between
    two values that are h = 1/2 apart a chord misses the curve by f'' t (h - t) / 2, so the new ones are
    raised by h² f'' / 8, which leaves the least of it in the square; the picture's own values stay.
    """
    for dim in (1, 2):
        picture = _doubled(picture, dim)
    return picture


def _doubled(picture: Tensor, dim: int) -> Tensor:
    size = picture.shape[dim]
    room = (1, 1, 0, 0) if dim == 2 else (0, 0, 1, 1)
    padded = F.pad(picture[None], room, mode="replicate")[0]

    def part(start: int) -> Tensor:
        return padded.narrow(dim, start, size - 1)

    shape = list(picture.shape)
    shape[dim] = 2 * size - 1
    result = picture.new_empty(shape)
    own, between = [slice(None)] * 3, [slice(None)] * 3
    own[dim], between[dim] = slice(0, None, 2), slice(1, None, 2)
    result[tuple(own)] = picture
    result[tuple(between)] = _INNER * (part(1) + part(2)) + _OUTER * (part(0) + part(3))
    return result
