"""Small images of numbers, drawn with numpy and Pillow alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BACKGROUND = (18, 20, 28)
_INK = (214, 218, 228)

# Dark violet through rose and orange to pale yellow: lightness rises evenly, so it also reads in grey.
_COLOURS = np.array(
    [
        [16, 14, 38],
        [66, 20, 104],
        [130, 37, 108],
        [192, 58, 82],
        [234, 98, 48],
        [250, 158, 40],
        [250, 234, 150],
    ],
    dtype=np.float64,
)


def colours(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers [...] in 0..1 to colours [..., 3]; values outside are clipped."""
    place = np.clip(values, 0.0, 1.0) * (len(_COLOURS) - 1)
    marks = np.arange(len(_COLOURS))
    return (
        np.stack([np.interp(place, marks, _COLOURS[:, i]) for i in range(3)], axis=-1)
        .round()
        .astype(np.uint8)
    )


def _ticks(count: int) -> list[int]:
    """At most about eight round indices from 0 to ``count`` - 1."""
    steps = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000)
    step = next((s for s in steps if count / s <= 8), steps[-1])
    return list(range(0, count, step))


def matrix_picture(matrix: NDArray[Any], size: int = 512, title: str = "frame graph") -> NDArray[np.float32]:
    """A square matrix [T, T] of weights >= 0 as a heat map with axes in frames, [size, size, 3] in 0..1.

    Colours follow the square root of the weight relative to the largest one, since rows sum to 1 and most
    weights of a long clip are small. The bar on the right shows the weights.
    """
    from PIL import Image, ImageDraw, ImageFont

    count = len(matrix)
    most = float(matrix.max()) if count else 0.0
    shade = np.sqrt(np.clip(matrix / most, 0, 1)) if most > 0 else np.zeros_like(matrix)

    font = ImageFont.load_default(max(10, size // 40))
    left, top, right, bottom = size // 12, size // 8, size // 8, size // 12
    side = min(size - left - right, size - top - bottom)
    picture = Image.new("RGB", (size, size), _BACKGROUND)
    draw = ImageDraw.Draw(picture)

    enlarge = Image.Resampling.NEAREST if count <= side else Image.Resampling.BOX
    picture.paste(Image.fromarray(colours(shade)).resize((side, side), enlarge), (left, top))
    draw.text((left + side / 2, top / 2), f"{title}: weight of column for row", _INK, font, anchor="mm")
    for tick in _ticks(count):
        at = (tick + 0.5) * side / count
        draw.text((left - 6, top + at), str(tick), _INK, font, anchor="rm")
        draw.text((left + at, top + side + 6), str(tick), _INK, font, anchor="ma")

    bar, width = left + side + size // 40, size // 40
    ramp = np.repeat(colours(np.linspace(1, 0, side))[:, None], width, axis=1)
    picture.paste(Image.fromarray(ramp), (bar, top))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        text = f"{most * share * share:.2g}"
        draw.text((bar + width + 4, top + (1 - share) * (side - 1)), text, _INK, font, anchor="lm")
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def band_picture(edges: NDArray[Any], size: int = 512, title: str = "frame graph") -> NDArray[np.float32]:
    """The edges [T, 2 reach + 1] of a long clip as a heat map: time downwards, distance across.

    Rows that lie on one row of pixels are averaged. [size, size, 3] in 0..1, colours as in `matrix_picture`.
    """
    from PIL import Image, ImageDraw, ImageFont

    count, reach = len(edges), edges.shape[1] // 2
    left, top, right, bottom = size // 8, size // 8, size // 16, size // 12
    width, height = size - left - right, size - top - bottom
    starts = np.linspace(0, count, min(count, height) + 1).round().astype(int)
    rows = np.stack([edges[a:b].mean(axis=0) for a, b in zip(starts, starts[1:], strict=False)])
    most = float(rows.max()) or 1.0
    font = ImageFont.load_default(max(10, size // 40))
    picture = Image.new("RGB", (size, size), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    shade = Image.fromarray(colours(np.sqrt(np.clip(rows / most, 0, 1))))
    picture.paste(shade.resize((width, height), Image.Resampling.NEAREST), (left, top))
    draw.text((left + width / 2, top / 2), f"{title}: weight by distance in frames", _INK, font, "mm")
    for tick in _ticks(count):
        draw.text((left - 6, top + (tick + 0.5) * height / count), str(tick), _INK, font, anchor="rm")
    for distance in range(-reach, reach + 1, max(1, reach // 4)):
        at = left + (distance + reach + 0.5) * width / (2 * reach + 1)
        draw.text((at, top + height + 6), f"{distance:+d}" if distance else "0", _INK, font, anchor="ma")
    return np.asarray(picture, dtype=np.float32) / np.float32(255)
