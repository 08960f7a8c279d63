"""Folds and bulges of the skin that come and go with the muscles, as shading maps."""

from __future__ import annotations

import numpy as np

from .canvas import soft_polygon
from .curves import ellipse, open_curve, ribbon, tapered
from .geometry import Geometry

BOX = (0.24, 0.24, 0.76, 0.86)
"""Left, top, right and bottom of the part of the canonical picture the maps cover."""


_FINEST = 640


def _box(size: int) -> tuple[slice, slice]:
    """Rows and columns of `BOX` on a picture of `size` pixels, at least one of each."""
    left, top, right, bottom = (round(edge * size) for edge in BOX)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


class Wrinkles:
    """Shading maps of one person: how strongly each parameter darkens (or lights) each pixel of the skin."""

    def __init__(self, geometry: Geometry, size: int) -> None:
        self.rows, self.columns = _box(size)
        self._target = (self.columns.stop - self.columns.start, self.rows.stop - self.rows.start)
        # Folds are soft: on large pictures a coarser map, enlarged, looks the same and saves much memory.
        self._size = min(size, _FINEST)
        rows, columns = self._rows, self._columns = _box(self._size)
        self._geometry = geometry
        self._maps: dict[str, np.ndarray] = {}
        self._shape = (rows.stop - rows.start, columns.stop - columns.start)
        self._ones = np.ones(self._shape, np.float32)
        self._build()
        self.names = tuple(self._maps)
        self._stack = np.stack(list(self._maps.values())).reshape(len(self.names), -1)

    def shade(self, values: dict[str, float]) -> np.ndarray:
        """Factor by which the skin inside the box is multiplied, float32 [h, w, 4].

        The fourth channel is 1: the skin's coverage stays.
        """
        import cv2

        amounts = np.array([values[name] for name in self.names], np.float32)
        total = (amounts @ self._stack).reshape(self._shape)
        # Folds darken blue and green more than red: shadow on skin is warm.
        factors = cv2.merge(
            [1 - np.float32(0.78) * total, 1 - total, 1 - np.float32(1.02) * total, self._ones]
        )
        if self._size < _FINEST:
            return factors.reshape(*self._shape, 4)
        return cv2.resize(factors, self._target, interpolation=cv2.INTER_LINEAR)

    def _add(self, name: str, outline: np.ndarray, amount: float, soft: float) -> None:
        whole = self._maps.setdefault(name, np.zeros(self._shape, np.float32))
        left, top = self._columns.start, self._rows.start
        found = soft_polygon(outline, self._size, soft, abs(amount))
        if found is None:
            return
        mask, rows, columns = found
        y0, y1 = max(rows.start, top), min(rows.stop, self._rows.stop)
        x0, x1 = max(columns.start, left), min(columns.stop, self._columns.stop)
        part = mask[
            y0 - rows.start : max(y0, y1) - rows.start, x0 - columns.start : max(x0, x1) - columns.start
        ]
        whole[y0 - top : max(y0, y1) - top, x0 - left : max(x0, x1) - left] += np.sign(amount) * part

    def _line(
        self, name: str, points: list[tuple[float, float]], width: float, amount: float, soft: float = 0.003
    ) -> None:
        """A fold: a dark tapered line with soft edges."""
        line = open_curve(points, 24)
        self._add(name, ribbon(line, tapered(24, width)), amount, soft)

    def _spot(
        self, name: str, center: tuple[float, float], rx: float, ry: float, amount: float, soft: float
    ) -> None:
        self._add(name, ellipse(center, rx, ry, 20), amount, soft)

    def _build(self) -> None:
        self._mouth_and_chin()
        for side, name in ((1, "l"), (-1, "r")):
            self._half(name, side)

    def _half(self, name: str, side: int) -> None:
        g = self._geometry

        def x(offset: float) -> float:
            return 0.5 + side * offset

        eye, m = g.eye_x, g.mouth_y
        for k, y in enumerate((0.268, 0.298, 0.326)):
            strength = 0.22 + 0.05 * k
            self._line(
                f"inner_brow_up_{name}",
                [(x(0.0), y), (x(0.055), y - 0.004), (x(0.100), y + 0.006)],
                0.006,
                strength,
            )
            self._line(
                f"outer_brow_up_{name}",
                [(x(0.080), y + 0.004), (x(0.130), y - 0.006), (x(0.180), y + 0.010)],
                0.006,
                strength,
            )
        self._line(
            f"brow_lower_{name}", [(x(0.017), 0.350), (x(0.012), 0.375), (x(0.016), 0.402)], 0.008, 0.50
        )
        self._line(
            f"brow_lower_{name}",
            [(x(0.030), 0.412), (x(0.075), 0.418), (x(0.130), 0.410)],
            0.014,
            0.28,
            0.007,
        )
        self._spot(f"upper_lid_raise_{name}", (x(eye), 0.412), 0.055, 0.008, 0.12, 0.006)
        for k in (-1, 0, 1):
            start = (x(eye + 0.073), 0.455 + 0.010 * k)
            self._line(
                f"cheek_raise_{name}",
                [start, (x(eye + 0.092), 0.455 + 0.018 * k), (x(eye + 0.110), 0.455 + 0.030 * k)],
                0.0055,
                0.36,
            )
        self._line(
            f"cheek_raise_{name}",
            [(x(eye - 0.050), 0.488), (x(eye), 0.505), (x(eye + 0.060), 0.492)],
            0.009,
            0.36,
            0.004,
        )
        self._spot(f"cheek_raise_{name}", (x(0.150), 0.555), 0.045, 0.026, -0.13, 0.016)
        self._line(
            f"lid_tighten_{name}",
            [(x(eye - 0.045), 0.482), (x(eye), 0.494), (x(eye + 0.045), 0.484)],
            0.008,
            0.34,
            0.004,
        )
        fold = [(x(0.060), g.nose_y - 0.012), (x(0.105), 0.632), (x(0.134), 0.672), (x(0.140), m + 0.005)]
        self._line(f"smile_{name}", fold, 0.012, 0.50, 0.004)
        self._spot(f"smile_{name}", (x(0.158), 0.590), 0.042, 0.034, -0.13, 0.018)
        self._spot(f"smile_{name}", (x(0.165), 0.655), 0.034, 0.022, 0.08, 0.015)
        self._line(
            f"dimple_{name}",
            [(x(0.124), m - 0.026), (x(0.133), m - 0.008), (x(0.128), m + 0.012)],
            0.010,
            0.36,
            0.005,
        )
        self._spot(f"dimple_{name}", (x(0.150), m - 0.010), 0.018, 0.020, 0.14, 0.010)
        self._line(
            f"frown_{name}",
            [(x(0.102), m + 0.018), (x(0.112), m + 0.040), (x(0.108), m + 0.066)],
            0.011,
            0.36,
            0.005,
        )
        self._spot(f"blink_{name}", (x(eye), 0.440), 0.050, 0.014, 0.05, 0.008)
        # A nose wrinkle and a raised lip are drawn on both halves under one name.
        for k in range(3):
            start = (x(0.016), 0.448 + 0.022 * k)
            self._line(
                "nose_wrinkle",
                [start, (x(0.030), 0.440 + 0.022 * k), (x(0.042), 0.446 + 0.026 * k)],
                0.006,
                0.50,
            )
        self._line(
            "nose_wrinkle",
            [(x(0.052), g.nose_y - 0.040), (x(0.076), 0.612), (x(0.104), 0.648)],
            0.011,
            0.32,
            0.005,
        )
        self._line(
            "upper_lip_raise",
            [(x(0.058), g.nose_y - 0.004), (x(0.092), 0.634), (x(0.112), 0.668)],
            0.011,
            0.46,
            0.004,
        )
        self._line(
            "lip_stretch",
            [(x(0.125), m - 0.022), (x(0.140), m + 0.008), (x(0.134), m + 0.042)],
            0.010,
            0.36,
            0.005,
        )
        self._spot("jaw_open", (x(0.165), 0.665), 0.024, 0.055, 0.11, 0.018)
        self._spot("lip_pucker", (x(0.085), m - 0.006), 0.014, 0.038, 0.24, 0.012)
        self._spot("lip_funnel", (x(0.092), m), 0.014, 0.044, 0.18, 0.012)
        self._spot("lower_lip_depress", (x(0.062), m + 0.062), 0.020, 0.014, 0.22, 0.009)

    def _mouth_and_chin(self) -> None:
        m, chin = self._geometry.mouth_y, self._geometry.chin
        for dx, dy in (
            (-0.030, 0.0),
            (-0.014, 0.012),
            (0.004, -0.003),
            (0.018, 0.012),
            (0.032, 0.001),
            (-0.002, 0.022),
        ):
            self._spot("chin_raise", (0.5 + dx, chin - 0.055 + dy), 0.006, 0.005, 0.42, 0.003)
        self._line(
            "chin_raise", [(0.445, m + 0.074), (0.5, m + 0.058), (0.555, m + 0.074)], 0.011, 0.42, 0.004
        )
        self._line(
            "lip_press", [(0.445, m + 0.040), (0.5, m + 0.046), (0.555, m + 0.040)], 0.010, 0.34, 0.004
        )
        self._spot("lip_press", (0.5, m - 0.036), 0.060, 0.009, -0.10, 0.007)
        self._spot("lip_bite", (0.5, m + 0.055), 0.040, 0.012, 0.24, 0.008)
        self._spot("lip_close", (0.5, m + 0.046), 0.055, 0.006, 0.16, 0.006)
