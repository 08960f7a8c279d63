"""Two sheets of skin: displacement fields that are smooth through the slits of mouth and eyes.

One field cannot tear. So every unit is interpolated twice, once without the lower lip and the lower lids
(the upper sheet) and once without the upper ones (the lower sheet); each is smooth, and where they part, a
hole opens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .borders import towards_borders
from .canonical import Canonical
from .glasses import within_lenses
from .spline import evaluated, thin_plate, weights
from .topology import EYES, LOWER_LIP, SKIN, UPPER_LIP
from .units import HEAD_POSE, Ground
from .units.ground import BEYOND

CELLS = 24  # of the fields' grid to an eye distance
_TURNS = ("head_yaw", "head_pitch")
# Stiffness with which depth is smoothed where the head turns. Towards the outline of a face all of its depth
# lies within a few pixels, so that through every point of the mesh the field is steeper than 1 there: it
# folds, and the cheek's edge is drawn in bumps. Of the nose's parallax 3 to 14 % are lost.
_TURNING = 3e-2
REACH = ((-2.6, -2.7), (2.6, 3.9))  # of the moving region from between the eyes, in eye distances


@dataclass(frozen=True, eq=False)
class Sheets:
    """The fields of K units over the moving region of a picture.

    region: (x0, y0, x1, y1) in pixels, x1 and y1 beyond the last. steps: (x, y) pixels between the grid's
    nodes, of which the first and last lie on the middles of the region's outermost pixels.
    upper, lower: [K, gh, gw, 2] pixels. depth: [K, gh, gw], away from the viewer in eye distances (upper
    sheet).
    relief: [gh, gw], the depth of the face at rest.
    """

    region: tuple[int, int, int, int]
    steps: tuple[float, float]
    upper: Tensor
    lower: Tensor
    depth: Tensor
    relief: Tensor

    def to(self, device: torch.device) -> Sheets:
        moved = {name: getattr(self, name).to(device) for name in ("upper", "lower", "depth", "relief")}
        return replace(self, **moved)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the grid."""
        return self.relief.shape[0], self.relief.shape[1]


def moving_region(face: Canonical, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of the part of a picture of `size` (H, W) that a face can move."""
    (left, top), (right, bottom) = REACH
    corners = face.points.new_tensor([(x, y, 0.0) for x in (left, right) for y in (top, bottom)])
    placed = face.centre[:2] + face.scale * _upright(face, corners)
    low, high = placed.amin(0).floor().tolist(), placed.amax(0).ceil().tolist()
    height, width = size
    x0, y0 = max(0, min(int(low[0]), width - 2)), max(0, min(int(low[1]), height - 2))
    return x0, y0, min(width, max(int(high[0]), x0 + 2)), min(height, max(int(high[1]), y0 + 2))


def _upright(face: Canonical, points: Tensor) -> Tensor:
    """Points turned with the face's roll alone: a turned head's surroundings do not shrink."""
    x = face.axes[:2, 0] / face.axes[:2, 0].norm()
    return points[:, :1] * x + points[:, 1:2] * torch.stack([-x[1], x[0]])


def sheets(face: Canonical, ground: Ground, moves: dict[str, Tensor], size: tuple[int, int]) -> Sheets:
    """Both fields of every unit in `moves` (displacements [N, 3] in eye distances, by name)."""
    x0, y0, x1, y1 = region = moving_region(face, size)
    across, down = _nodes(x1 - x0, face.scale), _nodes(y1 - y0, face.scale)
    xs = torch.linspace(x0, x1 - 1, across)
    ys = torch.linspace(y0, y1 - 1, down)
    nodes = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 2)

    def unitless(pixels: Tensor) -> Tensor:
        return (pixels - face.centre[:2]) / face.scale

    placed = unitless(face.place(ground.points))
    moves = moves | {name: _unfolded(moves[name], placed, ground) for name in _TURNS if name in moves}
    displaced = torch.stack(list(moves.values()), 1)  # [N, K, 3]
    count = displaced.shape[1]
    values = torch.cat([face.project(displaced), displaced[..., 2:]], -1).flatten(1)
    lids = {name: [i for eye in EYES.values() for i in rows(eye)] for name, rows in _LIDS.items()}
    splines = []
    for left_out in ((*LOWER_LIP, *lids["lower"]), (*UPPER_LIP, *lids["upper"])):
        kept = (~ground.rows(left_out)).nonzero()[:, 0]
        splines.append((kept, weights(placed[kept], values[kept])))
    skin = torch.arange(SKIN)
    splines.append((skin, weights(placed[skin], ground.points[skin, 2:], 2e-3)))
    upper, lower, relief = evaluated(splines, placed, unitless(nodes))
    upper, lower = (
        field.reshape(down, across, count, 3).permute(2, 0, 1, 3).contiguous() for field in (upper, lower)
    )
    heads = [n for n, name in enumerate(moves) if name in HEAD_POSE]
    if heads:
        held = towards_borders(face, nodes, size).reshape(1, down, across, 2)
        for field in (upper, lower):
            field[heads, :, :, :2] *= held
    if ground.glasses:
        behind = within_lenses(list(moves), placed[:SKIN], unitless(nodes)).reshape(-1, down, across, 1)
        upper, lower = upper * behind, lower * behind
    return Sheets(
        region,
        ((x1 - 1 - x0) / (across - 1), (y1 - 1 - y0) / (down - 1)),
        upper[..., :2].contiguous(),
        lower[..., :2].contiguous(),
        upper[..., 2].contiguous(),
        relief.reshape(down, across),
    )


def _unfolded(turn: Tensor, placed: Tensor, ground: Ground) -> Tensor:
    """A turn of the head [N, 3] smoothed over the picture; what holds still around it still does."""
    smoothed = thin_plate(placed, turn, placed, _TURNING)
    return torch.where((ground.ring > BEYOND)[:, None], turn, smoothed)


_LIDS = {
    "lower": lambda eye: (*eye.lower[1:-1], *eye.below),
    "upper": lambda eye: (*eye.upper[1:-1], *eye.crease),
}


def _nodes(pixels: int, scale: float) -> int:
    return max(2, round((pixels - 1) * CELLS / scale) + 1)
