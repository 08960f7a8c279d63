"""Cheeks and nose: AU6, AU9."""

from __future__ import annotations

import torch
from torch import Tensor

from ..topology import CHEEKBONE, EYES, SIDES, SIGN, WING
from .ground import Ground


def lid_free(ground: Ground, side: str, lower: float = 0.75) -> Tensor:
    """A weight [N] for what pushes up from below: none on the upper lid, `lower` on the margin of the lower
    one."""
    eye = EYES[side]
    weight = torch.ones(len(ground.points), device=ground.points.device)
    weight[[*eye.upper, *eye.crease, *eye.above]] = 0.0
    weight[list(eye.lower)] = lower
    return weight


def middle(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] of `cheek_raise` on both sides and of `nose_wrinkle`."""
    found = {}
    for side in SIDES:
        bone = ground.at(CHEEKBONE[side]) + ground.points.new_tensor([0.0, 0.08, 0.0])
        weight = ground.hill(bone, 0.36, 0.22, 0.34) * lid_free(ground, side) * ground.side(side)
        found[f"cheek_raise_{side}"] = ground.move(weight, -0.014 * SIGN[side], -0.098, -0.07)
    wings = ground.hill(ground.at(WING["r"]), 0.17, 0.24, 0.18) + ground.hill(
        ground.at(WING["l"]), 0.17, 0.24, 0.18
    )
    sign = torch.where(ground.x > 0, 1.0, -1.0)
    wrinkle = ground.move(wings, 0.018 * sign, -0.130, -0.02)
    for side in SIDES:
        brow = ground.hill(ground.brow_inner(side), 0.20, 0.25, 0.22)
        hold = ground.brow_hold(side, lid=0.28, crease=0.62, even=True)
        drop = min(0.10, 0.30 * ground.lid_gap(side))
        wrinkle = wrinkle + ground.move(brow * hold, -0.02 * SIGN[side], drop)
    lip = ground.hill(ground.at(0), 0.34, 0.24, 0.13) * ~ground.lower_lip
    found["nose_wrinkle"] = wrinkle + ground.move(lip, 0.0, -0.070)
    return found
