"""Thin-plate splines: the smoothest surface through scattered values (Duchon 1977; Bookstein 1989)."""

from __future__ import annotations

import torch
from torch import Tensor

_PIECE = 8192  # places at a time: memory stays flat


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """U(r) = r² log r between points [N, 2] and [M, 2] -> [N, M]."""
    square = (a[:, None] - b[None]).square().sum(-1)
    return 0.5 * square * torch.log(square + 1e-9)


def thin_plate(points: Tensor, values: Tensor, places: Tensor, stiffness: float = 4e-4) -> Tensor:
    """Values [N, K] at points [N, 2] -> at places [M, 2]: [M, K] float32.

    Solves [[K + λI, P], [Pᵀ, 0]] [w; a] = [v; 0], P = (1, x, y), in float64: λ = `stiffness` trades exactness for
    smoothness and keeps points that coincide from breaking it. Coordinates should be of order 1.
    """
    count = len(points)
    at = points.double()
    plane = torch.cat([torch.ones_like(at[:, :1]), at], 1)
    system = at.new_zeros(count + 3, count + 3)
    system[:count, :count] = _kernel(at, at) + stiffness * torch.eye(count, dtype=at.dtype, device=at.device)
    system[:count, count:] = plane
    system[count:, :count] = plane.T
    right = torch.cat([values.double(), values.new_zeros(3, values.shape[1], dtype=torch.float64)])
    weights = torch.linalg.solve(system, right).float()
    found = []
    for part in places.float().split(_PIECE):
        basis = torch.cat([_kernel(part, points.float()), torch.ones_like(part[:, :1]), part], 1)
        found.append(basis @ weights)
    return torch.cat(found)
