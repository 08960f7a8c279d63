"""A picture of which faces were found where, with a scale, so that a face can be entered by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LONGEST = 768  # pixels of the drawing's longer side
_STEPS = 8  # about so many marks on the longer side
_LINE, _TEXT, _SCALE = (90, 220, 170), (20, 24, 28), (255, 214, 90)


def found_faces(picture: np.ndarray, meshes: Sequence[np.ndarray]) -> np.ndarray:
    """A picture uint8 [H, W, 3], smaller if it is large, with a numbered box around each mesh [N, 2] and the
    picture's own pixels marked along its upper and left edge; uint8 [h, w, 3].
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    factor = min(1.0, _LONGEST / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3])).resize(size, Image.Resampling.BILINEAR)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(12)

    def label(x: float, y: float, text: str, colour: tuple[int, int, int]) -> None:
        box = draw.textbbox((x, y), text, font=font)
        draw.rectangle([box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1], fill=_TEXT)
        draw.text((x, y), text, fill=colour, font=font)

    for number, mesh in enumerate(meshes):
        (left, top), (right, bottom) = mesh.min(axis=0) * factor, mesh.max(axis=0) * factor
        draw.rectangle([left, top, right, bottom], outline=_LINE, width=2)
        label(left + 2, top + 2, str(number), _LINE)
    step = _step(max(height, width) / _STEPS)
    for place in range(step, width, step):
        draw.line([place * factor, 0, place * factor, 5], fill=_SCALE, width=2)
        label(place * factor - 8, 6, str(place), _SCALE)
    for place in range(step, height, step):
        draw.line([0, place * factor, 5, place * factor], fill=_SCALE, width=2)
        label(7, place * factor - 7, str(place), _SCALE)
    return np.asarray(image)


def _step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... that is not less."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size >= least:
                return factor * size
        size *= 10
