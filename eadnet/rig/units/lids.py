"""Lids: blinks (AU45), wide eyes (AU5), narrowed eyes (AU7)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..topology import EYES, SIDES
from .ground import Ground

WIDEN = 0.113  # of an eye that is as open as most; narrow eyes open less
_USUAL = 0.22  # eye distances between the lids of an eye that looks straight ahead


def lids(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] of `blink`, `upper_lid_raise` and `lid_tighten` on both sides.

    Blinks and narrowing are shares of the opening v from the upper margin to the lower one, so they fit
    narrow and wide eyes alike; closed eyes have nothing to close.
    """
    found = {}
    for side in SIDES:
        eye, skin = EYES[side], ground.skin
        rows = {
            name: list(getattr(eye, name)) for name in ("upper", "lower", "crease", "above", "below", "bag")
        }
        opening = skin[rows["lower"]] - skin[rows["upper"]]
        opening[0] = opening[-1] = 0.0  # the corners
        opening[:, 1] = opening[:, 1].clamp(min=0)
        height = opening.norm(dim=1)
        share = height / height.max().clamp(min=1e-3)
        inside, share_inside = opening[1:-1], share[1:-1]

        blink = torch.zeros_like(ground.points)
        blink[rows["upper"]] = 0.89 * opening
        blink[rows["lower"]] = -0.12 * opening
        blink[rows["crease"]] = 0.50 * inside
        blink[rows["above"]] = 0.14 * inside
        blink[rows["below"]] = -0.05 * inside
        found[f"blink_{side}"] = blink

        up = torch.tensor([0.0, -1.0, 0.0], device=skin.device)
        most = WIDEN * min(1.1, max(0.55, float(height.max()) / _USUAL))
        widen = torch.zeros_like(ground.points)
        widen[rows["upper"]] = most * share[:, None] * up
        widen[rows["crease"]] = 0.50 * most * share_inside[:, None] * up
        widen[rows["above"]] = 0.12 * most * up
        widen[rows["lower"]] = -0.10 * most * share[:, None] * up
        found[f"upper_lid_raise_{side}"] = widen

        narrow = torch.zeros_like(ground.points)
        narrow[rows["lower"]] = -0.40 * opening
        narrow[rows["below"]] = -0.30 * inside
        narrow[rows["bag"]] = -0.12 * inside
        narrow[rows["upper"]] += 0.20 * opening
        narrow[rows["crease"]] = 0.16 * inside
        found[f"lid_tighten_{side}"] = narrow
    return found
