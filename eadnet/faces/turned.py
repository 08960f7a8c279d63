"""How far a head is turned to the side, and how much of a generated face is to be seen then.

Models are trained on faces that look into the camera. Seen from the side, half of the generated region lies
on the cheek that cannot be seen: such a face is better left as it was filmed.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Of the canonical face (see `points.py`), in its own units: between the eyes, from them down to the mouth,
# and by how much the tip of the nose stands out of the plane of both.
_EYES, _DOWN, _NOSE = 6.32, 7.0, 3.66
# Sines of 50 and 75 degrees: the face is seen in full up to the one, and not at all from the other on.
_FULL, _GONE = 0.766, 0.966


def turn(points: Tensor) -> Tensor:
    """The sine of the angle by which heads are turned to either side.

    Args:
        points: [T, 5, 2], in the order of `face.POINTS`.

    Returns:
        [T], 0 or more; of a profile about 1. Nodding and tilting do not count. 0 for points that coincide.
    """
    eyes, mouth = points[:, :2].mean(dim=1), points[:, 3:].mean(dim=1)
    down = mouth - eyes
    # A nod foreshortens the way down and a turn that between the eyes: the longer one says how large it is.
    between = (points[:, 1] - points[:, 0]).norm(dim=1)
    size = torch.maximum(down.norm(dim=1) / _DOWN, between / _EYES)
    across = torch.stack([-down[:, 1], down[:, 0]], dim=1) / down.norm(dim=1, keepdim=True).clamp(min=1e-6)
    aside = ((points[:, 2] - eyes) * across).sum(dim=1).abs()
    return aside / (_NOSE * size).clamp(min=1e-6)


def shown(points: Tensor) -> Tensor:
    """How much of a generated face is seen, [T] in 0..1, from points [T, 5, 2]: 1 up to 50 degrees."""
    rest = ((_GONE - turn(points)) / (_GONE - _FULL)).clamp(0, 1)
    return rest * rest * (3 - 2 * rest)
