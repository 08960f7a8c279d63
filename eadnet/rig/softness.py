"""How soft a picture is: what is painted into it must not be sharper than what is there."""

from __future__ import annotations

import torch
from torch import Tensor

from .blur import blurred
from .colours import luminance
from .topology import EYES, LOWER_OUTER, UPPER_OUTER

_SCALES = (0.5, 1.0, 2.0, 4.0, 8.0)  # pixels
_SEEN = 0.62  # of the strongest band's contrast, that the sharpest band of a picture has
_LOOKED_AT = 1_000_000  # pixels, of a large picture
_MOST = 0.03  # eye distances: softer than this is no focus but a smooth face


def softness_of(picture: Tensor, points: Tensor, scale: float) -> float:
    """The sigma in pixels of the blur that a picture [3, H, W] shows around its eyes and lips.

    Edges look alike at all scales, so differences of Gaussians of an unblurred picture have about the same
    greatest contrast at each; blur takes it from the fine ones. The answer is where they come to `_SEEN` of
    the greatest; points [468 or more, 2 or 3] are in pixels, ``scale`` is the eye distance.
    """
    rows = [*UPPER_OUTER, *LOWER_OUTER, *(i for eye in EYES.values() for i in (*eye.upper, *eye.lower))]
    near = points[rows, :2]
    margin = 0.1 * scale
    height, width = picture.shape[1:]
    x0, y0 = (max(0, int(v)) for v in (near.amin(0) - margin).tolist())
    x1, y1 = (int(v) + 1 for v in (near.amax(0) + margin).tolist())
    part = picture[:, y0 : min(y1, height), x0 : min(x1, width)]
    if min(part.shape[1:]) < 8:
        return 0.0
    light = luminance(part.movedim(0, -1))[None, None]
    levels = [blurred(light, sigma) for sigma in _SCALES]
    every = max(1, light.numel() // _LOOKED_AT)
    bands = torch.stack(
        [(a - b).abs().flatten()[::every].quantile(0.98) for a, b in zip(levels, levels[1:], strict=False)]
    )
    strongest = bands.max()
    share = (bands / strongest.clamp(min=1e-3)).tolist()
    if float(strongest) < 1 or share[0] >= _SEEN:  # nothing to see, or sharp
        return 0.0
    place = next(number for number, value in enumerate(share) if value >= _SEEN)
    before, after = share[place - 1], share[place]
    part_way = (_SEEN - before) / max(after - before, 1e-6)
    return min(_SCALES[place - 1] * 2**part_way, _MOST * scale)
