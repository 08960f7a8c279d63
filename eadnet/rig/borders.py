"""Where a picture ends: nobody knows what lies beyond, so the head's motion draws nothing in from there."""

from __future__ import annotations

import torch
from torch import Tensor

from .canonical import Canonical
from .topology import SKIN
from .units.ground import smooth

_NEAR, _FAR = 0.2, 0.9  # eye distances from a border within which motion across it runs out
_ROOM = 0.35  # eye distances between face and border below which the head moves less across it


def towards_borders(face: Canonical, places: Tensor, size: tuple[int, int]) -> Tensor:
    """How much of the head's motion is left along x and y at places [N, 2] in pixels, [N, 2]: 0 on borders.

    Along a border things slide as before; across it they hold still, and what lies between it and the face
    stretches or gives way. Where there is little between, the whole head moves less across that border, and
    not at all where the face itself is cut: brows would be drawn long. ``size``: (H, W).
    """
    mesh = face.place(face.points[:SKIN])
    low, high = mesh.amin(0).tolist(), mesh.amax(0).tolist()
    left = []
    for axis, pixels in enumerate((size[1], size[0])):
        first, last = places[:, axis], pixels - 1 - places[:, axis]
        share = torch.ones_like(first)
        for away, room in ((first, low[axis]), (last, pixels - 1 - high[axis])):
            reach = min(_FAR, max(_NEAR, room / face.scale)) * face.scale
            free = min(1.0, max(0.0, room / (_ROOM * face.scale)))
            share = share * free * smooth(0.0, reach, away)
        left.append(share)
    return torch.stack(left, 1)
