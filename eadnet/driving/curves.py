"""A picture of a track: what the face does over time, one row for each part of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..media.charts import THEMES, nice_ticks, tick_text
from ..rig.track import Track

# Name of the row, parameters (both sides as one) and whether they go both ways around 0.
_ROWS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("jaw", ("jaw_open", "lip_close"), False),
    ("lips", ("lip_pucker", "lip_stretch", "lip_press"), False),
    ("smile", ("smile", "frown"), False),
    ("brows", ("inner_brow_up", "brow_lower"), False),
    ("lids", ("blink", "upper_lid_raise"), False),
    ("gaze", ("gaze_x", "gaze_y"), True),
    ("head", ("head_yaw", "head_pitch"), True),
)
_FINER, _LABEL, _GAP = 2, 64, 4
_COLOURS = ((112, 178, 255), (255, 176, 92), (150, 220, 140))


def track_picture(track: Track, size: tuple[int, int] = (768, 440)) -> NDArray[np.float32]:
    """The curves of a track [height, width, 3] in 0..1; ``size`` is (width, height)."""
    from PIL import Image, ImageDraw, ImageFont

    theme = THEMES["dark"]
    width, height = _FINER * size[0], _FINER * size[1]
    picture = Image.new("RGB", (width, height), theme.paper)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(11 * _FINER)
    left, right, foot = _LABEL * _FINER, width - 8 * _FINER, height - 22 * _FINER
    row = (foot - 6 * _FINER) / len(_ROWS)
    shown = np.unique(
        np.linspace(0, max(len(track) - 1, 0), min(len(track), 2 * size[0])).round().astype(int)
    )
    xs = left + (right - left) * (shown + 0.5) / max(len(track), 1)
    for number, (label, names, signed) in enumerate(_ROWS):
        top = 6 * _FINER + number * row
        bottom = top + row - _GAP * _FINER
        draw.rectangle([left, top, right, bottom], theme.panel)
        draw.text((left - 6 * _FINER, (top + bottom) / 2), label, theme.ink, font, anchor="rm")
        low = -1.0 if signed else 0.0
        zero = bottom - (bottom - top) * (0 - low) / (1 - low)
        draw.line([(left, zero), (right, zero)], theme.grid, _FINER)
        for name, colour in zip(names, _COLOURS, strict=False):
            values = track[name].double().numpy()[shown]
            ys = bottom - (bottom - top) * (np.clip(values, low, 1) - low) / (1 - low)
            points = list(zip(xs.tolist(), ys.tolist(), strict=True))
            if len(points) > 1:
                draw.line(points, colour, round(1.5 * _FINER), joint="curve")
        place = float(right - 6 * _FINER)
        for name, colour in reversed(list(zip(names, _COLOURS, strict=False))):
            draw.text((place, top + 3 * _FINER), name.replace("_", " "), colour, font, anchor="ra")
            place -= draw.textlength(name.replace("_", " "), font) + 10 * _FINER
    ticks = nice_ticks(0.0, track.seconds)
    for tick in ticks:
        x = left + (right - left) * tick / max(track.seconds, 1e-9)
        if left <= x <= right:
            draw.text((x, foot + 4 * _FINER), f"{tick_text(tick, ticks)} s", theme.muted, font, anchor="ma")
    done = picture.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(done, dtype=np.float32) / np.float32(255)
