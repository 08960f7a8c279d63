"""Warping: a field that says where each pixel goes, turned into one that says where each comes from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PLAIN_ROUNDS = 2
DAMPING = (0.7, 0.8, 1.0, 1.0)  # of Newton's steps: where lips part, whole ones overshoot at first
_LEAST_STRETCH = 0.15  # of the determinant that steps are divided by
_FARTHEST = 3.0  # cells that one step goes


def inverse(moves: Tensor, steps: tuple[float, float]) -> Tensor:
    """Displacements [T, gh, gw, 2] in pixels on a grid -> where from, as displacements on the same grid.

    u = -d(q + u). The fixed point u ← -d(q + u) is only reached where d is flat; lips that part shear their
    corners more than that (a wide smile left errors of a third of the eye distance there). So two such
    rounds, then Newton's method, u ← u - (1 + ∂d)⁻¹ (u + d(q + u)), which needs d not to fold over.
    """
    frames, height, width, _ = moves.shape
    # From pixels to grid_sample's -1..1.
    scale = moves.new_tensor([2 / (steps[0] * max(1, width - 1)), 2 / (steps[1] * max(1, height - 1))])
    x = torch.linspace(-1, 1, width, device=moves.device, dtype=moves.dtype)
    y = torch.linspace(-1, 1, height, device=moves.device, dtype=moves.dtype)
    base = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    planes = moves.permute(0, 3, 1, 2).contiguous()
    by_y, by_x = torch.gradient(planes, dim=(2, 3))
    known = torch.cat([planes, by_x / steps[0], by_y / steps[1]], 1)

    def at(field: Tensor, found: Tensor) -> Tensor:
        places = torch.addcmul(base, found.permute(0, 2, 3, 1), scale)
        return F.grid_sample(field, places, "bilinear", "border", align_corners=True)

    found = -planes
    for _ in range(PLAIN_ROUNDS):
        found = -at(planes, found)
    for damping in DAMPING:
        dx, dy, xx, yx, xy, yy = at(known, found).unbind(1)
        left_x, left_y = found[:, 0] + dx, found[:, 1] + dy
        by = damping / ((1 + xx) * (1 + yy) - xy * yx).clamp(min=_LEAST_STRETCH)
        step_x = ((1 + yy) * left_x - xy * left_y) * by
        step_y = ((1 + xx) * left_y - yx * left_x) * by
        found = found - torch.stack(
            [
                step_x.clamp(-_FARTHEST * steps[0], _FARTHEST * steps[0]),
                step_y.clamp(-_FARTHEST * steps[1], _FARTHEST * steps[1]),
            ],
            1,
        )
    return found.permute(0, 2, 3, 1).contiguous()


def stretch(moves: Tensor, steps: tuple[float, float]) -> Tensor:
    """The determinant of the Jacobian of q + d(q), [T, gh - 1, gw - 1]: positive where nothing folds over."""
    dx = (moves[:, :-1, 1:] - moves[:, :-1, :-1]) / steps[0]
    dy = (moves[:, 1:, :-1] - moves[:, :-1, :-1]) / steps[1]
    return (1 + dx[..., 0]) * (1 + dy[..., 1]) - dx[..., 1] * dy[..., 0]


def enlarged(small: Tensor, size: tuple[int, int]) -> Tensor:
    """Planes [T, C, h, w] over the same area at `size` (H, W), bilinearly: [T, C, H, W].

    As `interpolate` without aligned corners, which takes three times as long on a processor.
    """
    if small.shape[2:] == size:
        return small
    y, x = (((torch.arange(n, device=small.device) + 0.5) * (2 / n) - 1) for n in size)
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).to(small.dtype)
    return F.grid_sample(
        small, places[None].expand(len(small), -1, -1, -1), "bilinear", "border", align_corners=False
    )


def pixels(region: tuple[int, int, int, int], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """x [1, w] and y [h, 1] of the pixels in (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = region
    x = torch.arange(x0, x1, dtype=torch.float32, device=device)
    y = torch.arange(y0, y1, dtype=torch.float32, device=device)
    return x[None], y[:, None]
