"""Warping: a field that says where each pixel goes, turned into one that says where each comes from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDS = 6


def inverse(moves: Tensor, steps: tuple[float, float], rounds: int = ROUNDS) -> Tensor:
    """Displacements [T, gh, gw, 2] in pixels on a grid -> where from, as displacements on the same grid.

    u ← -d(q + u), a fixed point that is reached as long as d nowhere folds over.
    """
    frames, height, width, _ = moves.shape
    scale = moves.new_tensor(
        [2 / (steps[0] * max(1, width - 1)), 2 / (steps[1] * max(1, height - 1))]
    )  # from pixels to grid_sample's -1..1
    x = torch.linspace(-1, 1, width, device=moves.device, dtype=moves.dtype)
    y = torch.linspace(-1, 1, height, device=moves.device, dtype=moves.dtype)
    base = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    planes = (-moves * scale).permute(0, 3, 1, 2).contiguous()
    found = planes
    for _ in range(rounds):
        found = F.grid_sample(
            planes, base + found.permute(0, 2, 3, 1), "bilinear", "border", align_corners=True
        )
    return (found.permute(0, 2, 3, 1) / scale).contiguous()


def stretch(moves: Tensor, steps: tuple[float, float]) -> Tensor:
    """The determinant of the Jacobian of q + d(q), [T, gh - 1, gw - 1]: positive where nothing folds over."""
    dx = (moves[:, :-1, 1:] - moves[:, :-1, :-1]) / steps[0]
    dy = (moves[:, 1:, :-1] - moves[:, :-1, :-1]) / steps[1]
    return (1 + dx[..., 0]) * (1 + dy[..., 1]) - dx[..., 1] * dy[..., 0]


def upsampled(field: Tensor, size: tuple[int, int]) -> Tensor:
    """A field [T, C, gh, gw] whose outermost nodes are the outermost pixels -> [T, C, H, W]."""
    return F.interpolate(field.contiguous(), size, mode="bilinear", align_corners=True)


def pixels(region: tuple[int, int, int, int], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """x [1, w] and y [h, 1] of the pixels in (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = region
    x = torch.arange(x0, x1, dtype=torch.float32, device=device)
    y = torch.arange(y0, y1, dtype=torch.float32, device=device)
    return x[None], y[:, None]
