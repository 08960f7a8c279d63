"""Edges of lips and lids as functions of x, so that a mask is a comparison: no polygons are filled.

In the face's upright frame (a along the eyes, b down) every such edge is a graph b(a).
"""

from __future__ import annotations

import torch
from torch import Tensor

SAMPLES = 96


def catmull_rom(points: Tensor, samples: int) -> Tensor:
    """A smooth curve through points [..., N, D] -> [..., samples, D]."""
    count = points.shape[-2]
    first = 2 * points[..., :1, :] - points[..., 1:2, :]
    last = 2 * points[..., -1:, :] - points[..., -2:-1, :]
    padded = torch.cat([first, points, last], dim=-2)
    t = torch.linspace(0, count - 1, samples, device=points.device, dtype=points.dtype)
    place = t.long().clamp(max=count - 2)
    t = (t - place)[:, None]
    p0, p1, p2, p3 = (padded[..., place + shift, :] for shift in range(4))
    return 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )


class Graphs:
    """Curves b(a) of T frames, tabulated at equal steps between two values of a."""

    def __init__(self, low: float, high: float, samples: int = SAMPLES) -> None:
        self.low, self.high, self.samples = low, high, samples

    def table(self, points: Tensor) -> Tensor:
        """Rows of landmarks [T, N, 2] as (a, b) -> b at the table's places, [T, samples]; ends stay level."""
        curve = catmull_rom(points, 4 * points.shape[1])
        a, b = curve[..., 0], curve[..., 1]
        a = a.cummax(dim=1).values + 1e-4 * torch.arange(a.shape[1], device=a.device)
        at = torch.linspace(self.low, self.high, self.samples, device=a.device, dtype=a.dtype)
        at = at.expand(len(a), -1).contiguous()
        place = torch.searchsorted(a.contiguous(), at).clamp(1, a.shape[1] - 1)
        left, right = a.gather(1, place - 1), a.gather(1, place)
        share = ((at - left) / (right - left)).clamp(0, 1)
        low, high = b.gather(1, place - 1), b.gather(1, place)
        return low + share * (high - low)

    def places(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """Where pixels with these a [...] stand in a table: (index, share of the next)."""
        at = ((a - self.low) / (self.high - self.low) * (self.samples - 1)).clamp(0, self.samples - 1 - 1e-3)
        index = at.int()
        return index, at - index

    @staticmethod
    def read(table: Tensor, places: tuple[Tensor, Tensor]) -> Tensor:
        """b for every pixel: table [T, samples] -> [T, ...]."""
        index, share = places
        flat = index.flatten()  # `table[:, index]` takes three times as long
        low, high = (table.index_select(1, at).view(-1, *index.shape) for at in (flat, flat + 1))
        return low * (1 - share) + high * share

    def steepness(self, table: Tensor) -> Tensor:
        """sqrt(1 + b'(a)²) of a table [T, n]: how much more a distance along b is than the true one."""
        slope = torch.gradient(table, dim=1)[0] * ((self.samples - 1) / (self.high - self.low))
        return (1 + slope.square()).sqrt()


def covered(distance: Tensor, softness: float = 1.0) -> Tensor:
    """How much of a pixel lies beyond an edge at a signed distance in pixels: antialiased over `softness`."""
    return (distance / softness + 0.5).clamp(0, 1)
