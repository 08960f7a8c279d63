"""A picture with the mesh that was found on it drawn in, to see at a glance whether it sits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .topology import BROWS, EYES, LOWER_INNER, LOWER_OUTER, OVAL, SKIN, UPPER_INNER, UPPER_OUTER

_POINT, _LINE, _IRIS = (120, 220, 255), (40, 255, 140), (255, 210, 60)


def preview(picture: Tensor, points: Tensor) -> Tensor:
    """Picture [H, W, 1, 3 or 4], uint8 or float 0..1, and points [468 or 478, 2 or 3] in pixels -> uint8 [H,
    W, 3]."""
    from PIL import Image, ImageDraw

    shown = picture.detach().cpu()
    if shown.dtype != torch.uint8:
        shown = (shown.float().clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    shown = shown.expand(-1, -1, 3) if shown.shape[2] == 1 else shown[..., :3]
    image = Image.fromarray(np.ascontiguousarray(shown.numpy()))
    at = points.detach().cpu().float()[:, :2].numpy()
    size = float(np.ptp(at[:SKIN, 0]))
    radius, width = max(0.6, size / 260), max(1, round(size / 180))
    draw = ImageDraw.Draw(image)
    for x, y in at[:SKIN]:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_POINT)

    def line(rows: tuple[int, ...], closed: bool = False) -> None:
        way = (
            [tuple(map(float, at[i])) for i in (*rows, *rows[:1])]
            if closed
            else [tuple(map(float, at[i])) for i in rows]
        )
        draw.line(way, fill=_LINE, width=width, joint="curve")

    line(OVAL, closed=True)
    for rows in (UPPER_OUTER, LOWER_OUTER, UPPER_INNER, LOWER_INNER):
        line(rows)
    for brow in BROWS.values():
        line(brow.upper)
        line(brow.lower)
    for eye in EYES.values():
        line(eye.upper)
        line(eye.lower)
        if len(at) > SKIN:
            x, y = at[eye.iris[0]]
            reach = float(np.linalg.norm(at[list(eye.iris[1:])] - at[eye.iris[0]], axis=1).mean())
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=_IRIS, width=width)
    return torch.from_numpy(np.array(image))
