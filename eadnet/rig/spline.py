"""Thin-plate splines: the smoothest surface through scattered values (Duchon 1977; Bookstein 1989)."""

from __future__ import annotations

import torch
from torch import Tensor

_PIECE = 8192  # places at a time: memory stays flat


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """U(r) = r² log r between points [N, 2] and [M, 2] -> [N, M]."""
    square = torch.addmm(a.square().sum(1, keepdim=True) + b.square().sum(1), a, b.T, alpha=-2)
    return square.clamp_(min=1e-9).log().mul_(square).mul_(0.5)


def weights(points: Tensor, values: Tensor, stiffness: float = 4e-4) -> Tensor:
    """The coefficients [N + 3, K] float32 of the spline through values [N, K] at points [N, 2].

    Solves [[K + λI, P], [Pᵀ, 0]] [w; a] = [v; 0], P = (1, x, y), in float64: λ = `stiffness` trades
    exactness for smoothness and keeps points that coincide from breaking it. Coordinates are of order 1.
    """
    count = len(points)
    at = points.double()
    plane = torch.cat([torch.ones_like(at[:, :1]), at], 1)
    system = at.new_zeros(count + 3, count + 3)
    system[:count, :count] = kernel(at, at) + stiffness * torch.eye(count, dtype=at.dtype, device=at.device)
    system[:count, count:] = plane
    system[count:, :count] = plane.T
    right = torch.cat([values.double(), values.new_zeros(3, values.shape[1], dtype=torch.float64)])
    return torch.linalg.solve(system, right).float()


def thin_plate(points: Tensor, values: Tensor, places: Tensor, stiffness: float = 4e-4) -> Tensor:
    """Values [N, K] at points [N, 2] -> at places [M, 2]: [M, K] float32. See `weights`."""
    return evaluated([(torch.arange(len(points)), weights(points, values, stiffness))], points, places)[0]


def evaluated(splines: list[tuple[Tensor, Tensor]], points: Tensor, places: Tensor) -> list[Tensor]:
    """Several splines, each (which of the points [N, 2] it stands on, its coefficients), at places [M, 2].

    The kernel, which costs most, is computed once for all of them.
    """
    found: list[list[Tensor]] = [[] for _ in splines]
    for part in places.float().split(_PIECE):
        basis = kernel(part, points.float())
        plane = torch.cat([torch.ones_like(part[:, :1]), part], 1)
        for into, (rows, coefficients) in zip(found, splines, strict=True):
            used = basis if len(rows) == len(points) else basis[:, rows]
            into.append(used @ coefficients[:-3] + plane @ coefficients[-3:])
    return [torch.cat(parts) for parts in found]
