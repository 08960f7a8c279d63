"""A mouth that is open in the picture, painted over with its lips: what a rig that closes it reads.

Lips that close pull in what lies just inside of them. In the picture of an open mouth that is dark, so a line
stays between lips that meet, and a dark wedge at their corners.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .blur import blurred, diffused
from .colours import luminance, sampled
from .expression import PARAMETERS
from .mixing import Rest, mix
from .mouth import lip_graphs, lip_opening
from .patch import Box, Upright
from .topology import INNER_CORNERS, LOWER_INNER, LOWER_LIP, UPPER_INNER, UPPER_LIP
from .units import Ground
from .units.ground import along
from .units.mouth import closing

_TOUCH = 0.015  # eye distances that lips which meet overlap
_EDGE = 0.02  # eye distances around the opening that are its shadow still
_CORNER = 0.09  # eye distances around the corners of the lips in which their dark is looked for
_DARK = 0.72  # of the lips' brightness, below which it is dark
_SPREAD = (0.02, 0.05, 0.12, 0.3)  # eye distances


def shutting(ground: Ground, moves: dict[str, Tensor], rest: Rest) -> Tensor:
    """A unit [N, 3] that closes what stays open of a mouth that is open in the picture, when all else rests.

    Where lips are apart there is a shape of its own to their opening, which neither the jaw nor a smile that
    is taken back closes from corner to corner: so it is what the other units, `moves` [N, 3] by name, leave.
    """
    amounts = mix(torch.zeros(1, len(PARAMETERS)), rest, tuple(moves))[0]
    moved = (
        ground.skin
        + torch.einsum("k,knc->nc", amounts, torch.stack(list(moves.values())))[: len(ground.skin)]
    )
    upper, lower = list(UPPER_INNER), list(LOWER_INNER)
    own = (ground.skin[lower, 1] - ground.skin[upper, 1]).clamp(min=0)
    left = moved[lower, 1] - moved[upper, 1] - (1 - rest.closes) * own + _TOUCH
    left[[0, -1]] = 0.0
    across = ground.across_mouth[lower]
    order = across.argsort()
    return closing(ground, along(ground.across_mouth, across[order], left.clamp(min=0)[order]))


def painted_over(picture: Tensor, points: Tensor, upright: Upright, box: Box, scale: float) -> Tensor:
    """A copy of a picture [C, H, W] in 0..255 with mesh [468, 2]: its lips go on where its mouth is open."""
    x0, y0, x1, y1 = box
    a, b = upright.over(box)
    graphs = lip_graphs(points, upright, scale)
    _, _, opening = lip_opening(points[None], upright, graphs, a, b)
    tile = picture[:3, y0:y1, x0:x1]
    lips = luminance(sampled(picture[:3], points[[*UPPER_LIP, *LOWER_LIP]])).median()
    dark = luminance(tile.permute(1, 2, 0)) < _DARK * lips
    corners = upright.coordinates(points[list(INNER_CORNERS)])
    beside = torch.stack([torch.hypot(a - at[0], b - at[1]) < _CORNER * scale for at in corners]).any(0)
    unknown = torch.maximum((opening[0] > 0.05).float(), (dark & beside).float())
    unknown = (blurred(unknown[None, None], 0.5 * _EDGE * scale)[0, 0] * 4).clamp(0, 1)
    filled, _ = diffused(tile, 1 - unknown, tuple(max(0.6, share * scale) for share in _SPREAD))
    result = picture.clone()
    result[:3, y0:y1, x0:x1] = torch.lerp(tile, filled, unknown)
    return result
