"""Skin that would fold over itself: smoothed where it would, and only there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .blur import blurred
from .warp import stretch

LEAST_STRETCH = 0.05  # of a cell's area that a sheet keeps where it is squeezed most
_ROUNDS = 14
_REACH = 2  # cells around a fold that are smoothed with it at first; more in later rounds


def unfolded(field: Tensor, steps: tuple[float, float]) -> Tensor:
    """Displacements [T, gh, gw, 2] in pixels, smoothed around those cells that would fold.

    Where the determinant of the Jacobian would not stay positive, the field is mixed with a blurred copy of
    itself, again and in a wider place until it does: skin beside the fold gives way, as it does under a brow
    that is pressed down. Displacements elsewhere stay as they are. Returns `field` itself where
    nothing folds.
    """
    folded = _squeezed(field, steps).flatten(1).any(1)
    if not bool(folded.any()):
        return field
    rows = folded.nonzero()[:, 0]
    planes = field[rows].permute(0, 3, 1, 2)
    for number in range(_ROUNDS):
        squeezed = _squeezed(planes.permute(0, 2, 3, 1), steps)
        if not bool(squeezed.any()):
            break
        planes = torch.lerp(
            planes, blurred(planes, 1.2 + 0.25 * number), _around(squeezed, _REACH + number // 3)
        )
    result = field.clone()
    result[rows] = _held_back(planes.permute(0, 2, 3, 1), steps)
    return result


def _squeezed(field: Tensor, steps: tuple[float, float]) -> Tensor:
    """Which cells [T, gh - 1, gw - 1] are squeezed below what skin keeps."""
    return stretch(field, steps) < LEAST_STRETCH


def _around(cells: Tensor, reach: int) -> Tensor:
    """Cells [T, gh - 1, gw - 1] -> nodes near them [T, 1, gh, gw], with a soft edge."""
    nodes = F.pad(cells[:, None].float(), (0, 1, 0, 1))
    wide = F.max_pool2d(nodes, 2 * reach + 1, 1, reach)
    return blurred(wide, 0.6 * reach)


def _held_back(field: Tensor, steps: tuple[float, float]) -> Tensor:
    """The last resort: frames that still fold move less as a whole."""
    for share in (0.9, 0.8, 0.65, 0.5, 0.35, 0.2, 0.0):
        still = (stretch(field, steps) <= 0).flatten(1).any(1)
        if not bool(still.any()):
            break
        field = torch.where(still[:, None, None, None], field * share, field)
    return field


def at_points(field: Tensor, points: Tensor, region: tuple[int, int, int, int]) -> Tensor:
    """A field [T, gh, gw, 2] over a region at points [N, 2] in pixels -> [T, N, 2]."""
    x0, y0, x1, y1 = region
    corner, size = points.new_tensor([x0, y0]), points.new_tensor([x1 - 1 - x0, y1 - 1 - y0])
    grid = (2 * (points - corner) / size - 1)[None, None].expand(len(field), 1, -1, 2)
    planes = field.permute(0, 3, 1, 2)
    return F.grid_sample(planes, grid, "bilinear", "border", align_corners=True)[:, :, 0].permute(0, 2, 1)
