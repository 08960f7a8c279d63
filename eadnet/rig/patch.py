"""A rectangle of the picture in which a hole may open, in the face's upright coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .canonical import Canonical
from .warp import pixels

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Upright:
    """Coordinates turned with the face's roll: a along the eyes, b down, both in pixels from between the
    eyes."""

    centre: Tensor  # [2]
    across: Tensor  # [2], unit vector
    down: Tensor  # [2]

    @classmethod
    def of(cls, face: Canonical) -> Upright:
        x = face.axes[:2, 0] / face.axes[:2, 0].norm()
        return cls(face.centre[:2], x, torch.stack([-x[1], x[0]]))

    def coordinates(self, points: Tensor) -> Tensor:
        """Pixels [..., 2] -> (a, b) [..., 2]."""
        moved = points - self.centre
        return torch.stack([moved @ self.across, moved @ self.down], -1)

    def over(self, box: Box) -> tuple[Tensor, Tensor]:
        """a and b, each [h, w], of the pixels in a box."""
        x, y = pixels(box, self.centre.device)
        dx, dy = x - self.centre[0], y - self.centre[1]
        return dx * self.across[0] + dy * self.across[1], dx * self.down[0] + dy * self.down[1]

    def to(self, device: torch.device) -> Upright:
        return Upright(self.centre.to(device), self.across.to(device), self.down.to(device))


def box_around(points: Tensor, pad: float, within: Box) -> Box | None:
    """The smallest box around points [..., 2] and `pad` pixels more, cut to another box; None where nothing
    is left."""
    flat = points.reshape(-1, 2)
    low, high = (flat.amin(0) - pad).floor().tolist(), (flat.amax(0) + pad).ceil().tolist()
    x0, y0 = max(int(low[0]), within[0]), max(int(low[1]), within[1])
    x1, y1 = min(int(high[0]) + 1, within[2]), min(int(high[1]) + 1, within[3])
    return (x0, y0, x1, y1) if x1 - x0 > 1 and y1 - y0 > 1 else None
