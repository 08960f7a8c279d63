"""Units: what every facial action displaces, as vectors on the points of a canonical face."""

from __future__ import annotations

from torch import Tensor

from ..expression import HEAD_POSE
from .brows import brows
from .ground import BEYOND, Ground
from .head import head
from .lids import lids
from .middle import middle
from .mouth import mouth

__all__ = ["BEYOND", "HEAD_POSE", "Ground", "units"]


def units(ground: Ground) -> dict[str, Tensor]:
    """Displacements [N, 3] by name, in eye distances, for an amplitude of 1 (the head's in its own units).

    The names are those of the parameters that move skin, and `close`, which closes a gap of one eye distance
    between the lips. The outermost ring never moves.
    """
    found = {**brows(ground), **lids(ground), **middle(ground), **mouth(ground)}
    found = {name: displacement * ground.bends[:, None] for name, displacement in found.items()}
    found |= head(ground)
    held = ground.ring > BEYOND
    for displacement in found.values():
        displacement[held] = 0.0
    return found
