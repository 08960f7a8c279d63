"""A track: facial parameters over time, whatever made them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Track:
    values: Tensor
    fps: float = 25.0
