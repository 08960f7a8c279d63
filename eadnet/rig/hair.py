"""How far down a brow's hair reaches: a mesh knows where brows usually are, the picture where they end."""

from __future__ import annotations

import torch
from torch import Tensor

from .colours import luminance, sampled
from .topology import BROWS, EYES

_STEPS = 24
_LEAST_CONTRAST = 0.12  # of brow to skin, in shares of the lid's brightness


def hair_below(picture: Tensor, points: Tensor, scale: float) -> dict[str, float]:
    """By side, how many eye distances dark hair reaches below the mesh's lower edge of the brow.

    picture: [3, H, W] in 0..255. points: [468, 2] pixels. On the way from the brow to the margin of the lid,
    hair ends where the brightness passes halfway to the lid's; pale brows tell nothing and give 0.
    """
    found = {}
    for side, brow in BROWS.items():
        eye = EYES[side]
        start = points[list(brow.lower[1:4])]
        lid = points[list(eye.upper[2:7])]
        end = torch.stack([lid[(lid[:, 0] - x).abs().argmin()] for x in start[:, 0]])
        t = torch.linspace(0, 0.92, _STEPS)[:, None, None]
        way = start + (end - start) * t  # [steps, 3, 2]
        along = luminance(sampled(picture, way.reshape(-1, 2))).reshape(_STEPS, 3).mean(1)
        middle = (points[list(brow.upper[1:4])] + start) / 2
        hair = luminance(sampled(picture, middle)).median()
        skin = along.quantile(0.85)  # of the lid itself, which may lie in the shade
        light = along > hair + 0.5 * (skin - hair)
        if float(skin - hair) < _LEAST_CONTRAST * float(skin) or not bool(light.any()):
            found[side] = 0.0
            continue
        reach = float(t.flatten()[int(light.int().argmax())])
        found[side] = reach * float((end - start).norm(dim=1).mean()) / scale
    # Light from one side darkens one lid: hair grows on both alike.
    return dict.fromkeys(found, min(found.values()))
