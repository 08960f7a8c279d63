"""An image of the emotion over time, drawn with numpy and Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BACKGROUND, _INK, _FAINT = (18, 20, 28), (214, 218, 228), (58, 62, 76)
_LINES = ((250, 158, 40), (90, 170, 250), (130, 210, 120), (230, 110, 150), (180, 140, 250), (240, 220, 110))


def curve_picture(
    weights: NDArray[np.float64],
    strength: NDArray[np.float64],
    labels: Sequence[str],
    fps: float,
    size: tuple[int, int] = (768, 320),
) -> NDArray[np.float32]:
    """How much of each of K sentences [T, K] shows, and the strength [T], over seconds: [height, width, 3].

    ``size`` is (width, height). Values are in 0..1.
    """
    from PIL import Image, ImageDraw, ImageFont

    width, height = size
    picture = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(12)
    left, right, top, bottom = 40, 12, 14, 24
    legend = min(len(labels), 5) * 16 + 6
    base, high = height - bottom - legend, height - bottom - legend - top
    wide, count = width - left - right, len(strength)

    def point(frame: float, value: float) -> tuple[float, float]:
        return left + wide * frame / max(count - 1, 1), base - high * min(max(value, 0.0), 1.0)

    for value in (0.0, 0.5, 1.0):
        y = point(0, value)[1]
        draw.line([(left, y), (left + wide, y)], _FAINT)
        draw.text((left - 6, y), f"{value:g}", _INK, font, anchor="rm")
    seconds = count / fps
    step = next((s for s in (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600) if seconds / s <= 10), 3600)
    for i in range(int(seconds / step) + 1):
        x = point(i * step * fps, 0)[0]
        if x <= left + wide:
            draw.line([(x, base), (x, base + 4)], _INK)
            draw.text((x, base + 6), f"{i * step:g} s", _INK, font, anchor="ma")
    frames = np.unique(np.linspace(0, count - 1, min(count, 2 * wide)).round().astype(int))
    for k in range(weights.shape[1]):
        _curve(draw, [point(i, weights[i, k]) for i in frames], _LINES[k % len(_LINES)], 2)
    _curve(draw, [point(i, strength[i]) for i in frames], _INK, 3)
    for k, label in enumerate(labels[:5]):
        y = base + bottom + 6 + 16 * k
        more = f"   (and {len(labels) - 5} more)" if k == 4 and len(labels) > 5 else ""
        draw.line([(left, y), (left + 18, y)], _LINES[k % len(_LINES)], 3)
        plain = label.encode("latin-1", "replace").decode("latin-1")  # Pillow's own font knows no more
        draw.text((left + 26, y), (plain[:84] or "(no emotion)") + more, _INK, font, anchor="lm")
    draw.text((left + wide, height - 12), "white: strength", _INK, font, anchor="rm")
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def _curve(draw: object, points: list[tuple[float, float]], colour: tuple[int, int, int], width: int) -> None:
    if len(points) == 1:
        x, y = points[0]
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)  # type: ignore[attr-defined]
    else:
        draw.line(points, fill=colour, width=width, joint="curve")  # type: ignore[attr-defined]
