"""Charts that are good to look at in a node, drawn with Pillow alone: curves on panels, in dark or light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
# Everything is drawn this many times as large and scaled down, which smooths lines and letters alike.
_FINER = 2


@dataclass(frozen=True)
class Theme:
    """Colours by what they are for."""

    paper: Colour
    panel: Colour
    ink: Colour
    muted: Colour
    grid: Colour
    line: Colour
    good: Colour
    bad: Colour


THEMES = {
    "dark": Theme(
        paper=(20, 22, 29),
        panel=(29, 32, 42),
        ink=(232, 235, 243),
        muted=(147, 154, 172),
        grid=(48, 52, 66),
        line=(112, 178, 255),
        good=(96, 211, 158),
        bad=(255, 142, 110),
    ),
    "light": Theme(
        paper=(246, 247, 250),
        panel=(255, 255, 255),
        ink=(28, 32, 44),
        muted=(104, 112, 132),
        grid=(226, 229, 237),
        line=(34, 104, 205),
        good=(14, 140, 90),
        bad=(204, 74, 36),
    ),
}


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    span = high - low
    if not np.isfinite(span) or span <= 0:
        return [low] if np.isfinite(low) else []
    raw = span / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next((m * power for m in (1, 2, 5) if m * power >= raw), 10 * power)
    first = np.ceil(low / step - 1e-9)
    return [float(k * step) for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's number with the digits its neighbours need."""
    step = min((b - a for a, b in zip(ticks[:-1], ticks[1:], strict=True)), default=1.0)
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9))) if step > 0 else 0
    return f"{value + 0.0:.{digits}f}"


class Picture:
    """A sheet to draw on, in pixels of the finished image."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        from PIL import Image, ImageDraw

        self.width, self.height, self.theme = width, height, theme
        self._image = Image.new("RGB", (width * _FINER, height * _FINER), theme.paper)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: Colour, radius: float = 0
    ) -> None:
        corners = tuple(v * _FINER for v in (left, top, right, bottom))
        self._draw.rounded_rectangle(corners, radius * _FINER, fill)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float = 1) -> None:
        self._draw.line(
            [(x * _FINER, y * _FINER) for x, y in points],
            colour,
            max(1, round(width * _FINER)),
            joint="curve",
        )

    def area(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        self._draw.polygon([(x * _FINER, y * _FINER) for x, y in points], colour)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._draw.ellipse([(v * _FINER) for v in (x - radius, y - radius, x + radius, y + radius)], colour)

    def text(self, x: float, y: float, words: str, size: float, colour: Colour, anchor: str = "la") -> None:
        from PIL import ImageFont

        self._draw.text(
            (x * _FINER, y * _FINER), words, colour, ImageFont.load_default(size * _FINER), anchor
        )

    def pixels(self) -> NDArray[np.float32]:
        """[height, width, 3] in 0..1."""
        from PIL import Image

        small = self._image.resize((self.width, self.height), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float32) / np.float32(255)


class Panel:
    """A chart with axes inside a rectangle of an image.

    Args:
        picture: the sheet.
        box: left, top, right, bottom of the panel.
        title: above the chart.
        x, y: lowest and highest value shown on each axis.
        x_label: under the chart.
    """

    def __init__(
        self,
        picture: Picture,
        box: tuple[float, float, float, float],
        title: str,
        x: tuple[float, float],
        y: tuple[float, float],
        x_label: str,
    ) -> None:
        self.picture = picture
        left, top, right, bottom = box
        theme = picture.theme
        picture.box(left, top, right, bottom, theme.panel, 10)
        picture.text(left + 16, top + 13, title, 15, theme.ink)
        self.left, self.top, self.right, self.bottom = left + 58, top + 46, right - 20, bottom - 44
        self.x_range, self.y_range = _opened(x), _opened(y)
        picture.text((self.left + self.right) / 2, bottom - 9, x_label, 12, theme.muted, "ms")
        ticks = nice_ticks(*self.y_range)
        for tick in ticks:
            at = self.y(tick)
            picture.line([(self.left, at), (self.right, at)], theme.grid)
            picture.text(self.left - 8, at, tick_text(tick, ticks), 12, theme.muted, "rm")
        ticks = nice_ticks(*self.x_range, most=10)
        for tick in ticks:
            picture.text(self.x(tick), self.bottom + 6, tick_text(tick, ticks), 12, theme.muted, "ma")

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def curve(
        self, xs: Sequence[float], ys: Sequence[float], colour: Colour, fill_to: float | None = None
    ) -> None:
        """A line through the finite points, broken at others; `fill_to` shades down to that value."""
        for run in _runs(xs, ys):
            points = [(self.x(a), self.y(b)) for a, b in run]
            if fill_to is not None and len(points) > 1:
                base = self.y(fill_to)
                shade = _mixed(colour, self.picture.theme.panel, 0.2)
                self.picture.area([(points[0][0], base), *points, (points[-1][0], base)], shade)
            if len(points) > 1:
                self.picture.line(points, colour, 2.2)
            else:
                self.picture.dot(*points[0], 2.5, colour)

    def mark(self, x: float, y: float, words: str, colour: Colour) -> None:
        """A point with a dashed line down to the axis and words beside it."""
        at, height = self.x(x), self.y(y)
        for start in np.arange(height, self.bottom, 8):
            self.picture.line([(at, start), (at, min(start + 4, self.bottom))], colour, 1.2)
        self.picture.dot(at, height, 5, colour)
        beyond = at > (self.left + self.right) / 2
        self.picture.text(
            at + (-12 if beyond else 12), height + 1, words, 13, colour, "rm" if beyond else "lm"
        )


def tiles(picture: Picture, numbers: Sequence[tuple[str, str]], right: float, top: float = 16) -> None:
    """Small boxes with a number and its name, the last one ending at `right`."""
    theme, wide = picture.theme, 118
    for place, (name, value) in enumerate(numbers):
        left = right - (len(numbers) - place) * wide
        picture.box(left + 8, top, left + wide, top + 58, theme.panel, 10)
        picture.text(left + 4 + wide / 2, top + 8, value, 23, theme.ink, "ma")
        picture.text(left + 4 + wide / 2, top + 40, name, 11, theme.muted, "ma")


def _opened(values: tuple[float, float]) -> tuple[float, float]:
    low, high = values
    if not (np.isfinite(low) and np.isfinite(high)):
        return 0.0, 1.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _mixed(colour: Colour, ground: Colour, share: float) -> Colour:
    red, green, blue = (round(share * c + (1 - share) * g) for c, g in zip(colour, ground, strict=True))
    return red, green, blue


def _runs(xs: Sequence[float], ys: Sequence[float]) -> list[list[tuple[float, float]]]:
    """The stretches of finite points."""
    runs: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(xs, ys, strict=True):
        if np.isfinite(b):
            runs[-1].append((float(a), float(b)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def finite_range(values: Any, margin: float = 0.08) -> tuple[float, float]:
    """Lowest and highest finite value with a margin around them; 0..1 where there is none."""
    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    if len(array) == 0:
        return 0.0, 1.0
    low, high = float(array.min()), float(array.max())
    room = margin * (high - low) or max(abs(high), 0.1) * margin
    return low - room, high + room
