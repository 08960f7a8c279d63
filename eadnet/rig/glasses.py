"""Whether a face wears glasses, read off the bridge between its eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .canonical import Canonical
from .colours import luminance, sampled
from .topology import EYES, NOSE_ROOT

_HEIGHTS = (-0.22, 0.30, 80)  # eye distances from between the eyes
_DARKER = 0.16  # than what is above and below, in shares of it
_STEP = 0.20  # between neighbours
_FROWNS = 0.5  # a furrow across the root of the nose looks the same


_LID_UNITS = ("blink", "upper_lid_raise", "lid_tighten")
_LENS = (0.03, 0.13)  # eye distances from the lids: as far as skin goes with them in full, and at all


def within_lenses(names: Sequence[str], mesh: Tensor, nodes: Tensor) -> Tensor:
    """How much of each unit's displacement stays behind glasses at each node, [K, N].

    Splines carry the lids' motion on to the frame, which would bend; so it ends close to the lids. mesh:
    [468 or more, 2], nodes: [N, 2], both in eye distances in the picture's plane.
    """
    share = torch.ones(len(names), len(nodes))
    for side, eye in EYES.items():
        lids = mesh[[*eye.upper, *eye.lower[1:-1]]]
        away = torch.cdist(nodes, lids).amin(1)
        middle = mesh[list(eye.corners)].mean(0)
        inside = (nodes - middle).norm(dim=1) < 0.5 * (lids - middle).norm(dim=1).amin()
        away = torch.where(inside, torch.zeros_like(away), away)
        t = ((_LENS[1] - away) / (_LENS[1] - _LENS[0])).clamp(0, 1)
        rows = [n for n, name in enumerate(names) if name.startswith(_LID_UNITS) and name.endswith(side)]
        share[rows] = t * t * (3 - 2 * t)
    return share


def wears_glasses(picture: Tensor, face: Canonical, shapes: Mapping[str, float] | None = None) -> bool:
    """Whether a bridge crosses the nose in a picture [3, H, W] in 0..255.

    Skin brightens and darkens slowly from brow to nose; a frame is a dark line straight across. Frames
    without a visible bridge are not seen.
    """
    known = shapes or {}
    if max(known.get("browDownLeft", 0.0), known.get("browDownRight", 0.0)) > _FROWNS:
        return False
    low, high, count = _HEIGHTS
    y, x = torch.meshgrid(torch.linspace(low, high, count), torch.linspace(-0.06, 0.06, 9), indexing="ij")
    depth = torch.full_like(x, float(face.points[NOSE_ROOT, 2]))
    places = face.place(torch.stack([x, y, depth], -1).reshape(-1, 3))
    line = luminance(sampled(picture, places)).reshape(count, 9).mean(1)
    around = F.avg_pool1d(F.pad(line[None, None], (10, 10), mode="replicate"), 21, 1)[0, 0].clamp(min=1)
    darker = ((around - line) / around).max()
    step = (line[4:] - line[:-4]).abs().max() / line.mean().clamp(min=1)
    return bool(darker > _DARKER) and bool(step > _STEP)
