"""Whether a face wears glasses, read off the bridge between its eyes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .canonical import Canonical
from .colours import luminance, sampled
from .topology import NOSE_ROOT

_HEIGHTS = (-0.22, 0.30, 80)  # eye distances from between the eyes
_DARKER = 0.16  # than what is above and below, in shares of it
_STEP = 0.20  # between neighbours
_FROWNS = 0.5  # a furrow across the root of the nose looks the same


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
