"""Brows up and down: AU1, AU2 and AU4."""

from __future__ import annotations

from torch import Tensor

from ..topology import SIDES, SIGN
from .ground import Ground

RAISE = 0.175
LOWER = 0.30
# Of the space between lid and brow, what a lowered brow may take. More would fold the lid over itself.
MOST_OF_SPACE = 0.92


def brows(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] of `inner_brow_up`, `outer_brow_up` and `brow_lower` on both sides."""
    found = {}
    for side in SIDES:
        half, sign = ground.side(side), SIGN[side]
        inner, outer = ground.brow_inner(side), ground.brow_outer(side)
        # Where hair or shadow reaches down to the lid there is no skin to show beneath a raised brow.
        rise = RAISE * (0.55 + 0.45 * ground.bare_lid(side))
        hold = ground.brow_hold(side, lid=0.0, crease=0.12) * half
        near_inner, near_outer = ground.hill(inner, 0.30, 0.50, 0.30), ground.hill(outer, 0.36, 0.50, 0.30)
        found[f"inner_brow_up_{side}"] = ground.move(near_inner * hold, -0.010 * sign, -rise)
        found[f"outer_brow_up_{side}"] = ground.move(near_outer * hold, 0.0, -rise)
        drop = min(LOWER, MOST_OF_SPACE * ground.lid_gap(side))
        down = ground.brow_hold(side, lid=0.28, crease=0.62, even=True) * half
        found[f"brow_lower_{side}"] = ground.move(
            ground.hill(inner, 0.34, 0.36, 0.36) * down, -0.095 * sign, drop
        ) + ground.move(ground.hill(outer, 0.32, 0.30, 0.22) * down, -0.025 * sign, 0.50 * drop)
    return found
