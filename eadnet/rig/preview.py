"""A picture with the face mesh that was found in it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Lines of the mesh: outline, brows, lids, nose, lips (points of MediaPipe's face mesh).
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
_CLOSED = (_OVAL, _LIPS, _INNER_LIPS, _RIGHT_EYE, _LEFT_EYE)
_OPEN = ((70, 63, 105, 66, 107), (336, 296, 334, 293, 300), (168, 6, 197, 195, 5, 4))
_LINE, _DOT = (90, 220, 170), (230, 240, 250)


def preview(picture: Tensor, points: Tensor) -> Tensor:
    """uint8 [H, W, 3] with points [478 or 468, 2 or 3] in pixels drawn on it, uint8 [H, W, 3]."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(picture.cpu().numpy()[..., :3]))
    draw = ImageDraw.Draw(image, "RGBA")
    places = points[:, :2].double().cpu().numpy()
    size = float(np.ptp(places, axis=0).max())
    width, dot = max(1, round(size / 220)), max(0.6, size / 500)
    for x, y in places:
        draw.ellipse([x - dot, y - dot, x + dot, y + dot], fill=(*_DOT, 150))
    for line in (*((*line, line[0]) for line in _CLOSED), *_OPEN):
        path = [tuple(places[i]) for i in line]
        draw.line(path, fill=(*_LINE, 230), width=width, joint="curve")
    return torch.from_numpy(np.array(image))
