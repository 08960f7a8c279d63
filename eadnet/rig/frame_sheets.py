"""The two sheets of one frame of a video, laid through that frame's own points, and the light on them.

See `sheets`: there the fields of all units are prepared for one picture; here only their sum is laid, on a
coarser grid and through fewer points, because it is done for every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .canonical import Canonical
from .compose import Light, Moment, Stage, Step
from .folds import LEAST_STRETCH
from .patch import Box
from .shading import FINEST, Shading, tinted
from .sheets import Sheets
from .spline import evaluated, weights
from .topology import BROWS, EYES, LOWER_LIP, OVAL, UPPER_LIP
from .units import Ground
from .warp import stretch

_CELLS = 12  # of the fields' grid to an eye distance: what is added is smooth
_LEFT_OUT = tuple(
    torch.tensor(rows)
    for rows in (
        [*LOWER_LIP, *(i for eye in EYES.values() for i in (*eye.lower[1:-1], *eye.below))],
        [*UPPER_LIP, *(i for eye in EYES.values() for i in (*eye.upper[1:-1], *eye.crease))],
    )
)


@dataclass(frozen=True, eq=False)
class FrameSheets:
    """sheets: the displacement of both, as if of one unit, K = 1. chart: [1, gh, gw, 2] pixels, where a place
    of this frame lies in the one that the folds belong to.
    """

    sheets: Sheets
    chart: Tensor

    @property
    def unfolded(self) -> float:
        """The share of the displacement at which no sheet folds over itself; found by halving, so that it
        changes little from frame to frame.
        """
        if self._least(1.0) >= LEAST_STRETCH:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(8):
            middle = (low + high) / 2
            low, high = (middle, high) if self._least(middle) >= LEAST_STRETCH else (low, middle)
        return low

    def _least(self, share: float) -> float:
        fields = (self.sheets.upper, self.sheets.lower)
        return min(float(stretch(share * field, self.sheets.steps).min()) for field in fields)


def lay_sheets(face: Canonical, here: Ground, values: Tensor, used: Tensor, region: Box) -> FrameSheets:
    """Lay both sheets through the points of one frame.

    Args:
        here: of this frame's face. used: [M], the rows of it that are used (`rows_used`).
        values: [M, 4], for each of them its displacement and its place in the chart, in pixels.
        region: (x0, y0, x1, y1) in pixels.
    """
    x0, y0, x1, y1 = region
    across, down = (max(2, round((n - 1) * _CELLS / face.scale) + 1) for n in (x1 - x0, y1 - y0))
    xs, ys = torch.linspace(x0, x1 - 1, across), torch.linspace(y0, y1 - 1, down)
    nodes = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 2)
    placed = ((face.place(here.points) - face.centre[:2]) / face.scale)[used]
    splines = []
    for left_out in _LEFT_OUT:
        kept = (~torch.isin(used, left_out)).nonzero()[:, 0]
        splines.append((kept, weights(placed[kept], values[kept])))
    upper, lower = (
        field.reshape(1, down, across, 4)
        for field in evaluated(splines, placed, (nodes - face.centre[:2]) / face.scale)
    )
    none = torch.zeros(1, down, across)
    steps = ((x1 - 1 - x0) / (across - 1), (y1 - 1 - y0) / (down - 1))
    moves = (upper[..., :2].contiguous(), lower[..., :2].contiguous())
    return FrameSheets(Sheets(region, steps, *moves, none, none[0]), upper[..., 2:])


def rows_used(ground: Ground) -> Tensor:
    """Rows of the ground that a sheet needs: all of what moves in lines, every second of the rest; [M]."""
    lines = {*OVAL, *UPPER_LIP, *LOWER_LIP}
    for eye in EYES.values():
        lines |= {*eye.upper, *eye.lower, *eye.crease, *eye.below}
    for brow in BROWS.values():
        lines |= {*brow.upper, *brow.lower}
    rest = [row for row in range(len(ground.points)) if row not in lines]
    return torch.tensor(sorted(lines | set(rest[::2])))


@dataclass(frozen=True, eq=False)
class Relight:
    """The folds of one frame's face, looked up on another by a chart [1, gh, gw, 2] of pixels."""

    shading: Shading
    chart: Tensor

    def __call__(self, stage: Stage, moment: Moment, upper: Tensor) -> Iterator[Step]:
        names = stage.names
        columns = [names.index(name) for name in self.shading.names if name in names]
        amounts = moment.amounts[:, columns].clamp(0, 1.2)
        if not bool((amounts > 1e-3).any()):
            return
        x0, y0, x1, y1 = stage.sheets.region
        height, width = y1 - y0, x1 - x0
        per = min(1.0, FINEST / stage.scale)
        size = (max(2, round(height * per)), max(2, round(width * per)))
        from_where = F.interpolate(upper.permute(0, 3, 1, 2), size, mode="bilinear", align_corners=True)
        y, x = torch.meshgrid(torch.linspace(-1, 1, size[0]), torch.linspace(-1, 1, size[1]), indexing="ij")
        at = torch.stack(
            [x + from_where[:, 0] * (2 / (width - 1)), y + from_where[:, 1] * (2 / (height - 1))], -1
        )
        places = F.grid_sample(
            self.chart.permute(0, 3, 1, 2), at, "bilinear", "border", align_corners=True
        ).permute(0, 2, 3, 1)
        left, top, right, bottom = self.shading.box
        low, extent = places.new_tensor([left, top]), places.new_tensor([right - left, bottom - top])
        maps = F.grid_sample(
            self.shading.maps(amounts), 2 * (places + 0.5 - low) / extent - 1, "bilinear", align_corners=False
        )
        factor = tinted(maps, stage.inside.colours.skin)
        large = F.interpolate(factor, (height, width), mode="bilinear", align_corners=True)
        yield Light((0, 0, width, height), large)
