"""Brows: their shape as a function of the parameters, and how they are painted."""

from __future__ import annotations

import numpy as np

from .canvas import blend, box_around, fixed_point, paint
from .curves import open_curve, ribbon
from .geometry import LEFT, RIGHT, Geometry, Pose

_SAMPLES = 24
_AT = np.linspace(0, 1, _SAMPLES)
_WIDTH = 0.0205 * np.interp(_AT, [0, 0.15, 0.45, 0.8, 1], [0.38, 0.85, 1.0, 0.62, 0.10])
_SMOOTH = open_curve(np.eye(5), _SAMPLES)
"""The curve through five points is linear in them: [24, 5]."""


def brow_line(geometry: Geometry, v: dict[str, float], side: int) -> np.ndarray:
    """Middle line of the brow on `side` from its inner to its outer end, canonical, [5, 2]."""
    name = "l" if side == LEFT else "r"
    inner, outer, lower = (
        v[f"{action}_{name}"] for action in ("inner_brow_up", "outer_brow_up", "brow_lower")
    )
    arch = geometry.identity.brow_arch
    offset = np.array([0.050, 0.080, 0.113, 0.146, 0.178])
    height = np.array([0.004, -0.003, -0.010 - 0.005 * arch, -0.010 - 0.007 * arch, 0.006])
    height -= inner * np.array([0.033, 0.025, 0.011, 0.0, -0.004])
    height -= outer * np.array([0.0, 0.007, 0.019, 0.027, 0.022])
    height += lower * np.array([0.030, 0.024, 0.014, 0.005, 0.0])
    height += v["nose_wrinkle"] * np.array([0.010, 0.008, 0.004, 0.0, 0.0])
    height += v[f"cheek_raise_{name}"] * np.array([0.0, 0.0, 0.001, 0.003, 0.004])
    offset = offset - lower * np.array([0.013, 0.010, 0.006, 0.002, 0.0])
    offset = offset * (geometry.eye_x / 0.122)
    return np.stack([0.5 + side * offset, geometry.brow_y + height], axis=1)


class BrowPainter:
    """Paints one person's brows."""

    def __init__(self, geometry: Geometry) -> None:
        identity = geometry.identity
        self._geometry = geometry
        self._color = np.asarray(identity.brow_color) * 255
        self._widths = _WIDTH * identity.brow_thickness
        rng = np.random.default_rng(identity.texture_seed)
        at = np.linspace(0.03, 0.97, 16) + rng.uniform(-0.02, 0.02, 16)
        half = 0.62 * np.interp(at, _AT, self._widths) * rng.uniform(0.8, 1.15, 16)
        lean = half * np.interp(at, [0, 0.25, 1], [0.15, 0.9, 2.0])
        # Single hairs lean outwards and are a little longer than the brow is thick: triangles around a point
        # of the brow's line, [16 hairs, 3 corners, 2].
        thick = np.full(16, 0.0015)
        self._roots = np.stack([np.interp(at, _AT, column) for column in np.eye(_SAMPLES)], axis=1)
        tip = np.stack([lean, -half * np.interp(at, [0, 1], [1.0, 0.5])], axis=-1)
        self._hairs = np.stack(
            [np.stack([-lean - thick, half], -1), np.stack([-lean + thick, half], -1), tip], 1
        )

    def paint(self, picture: np.ndarray, pose: Pose, size: int) -> None:
        """Paint both brows onto the float32 picture [size, size, 3]."""
        sides = (RIGHT, LEFT)
        lines = pose.place_all(*[_SMOOTH @ brow_line(self._geometry, pose.values, side) for side in sides])
        paint(picture, [ribbon(line, self._widths) for line in lines], self._color, size, 0.72, 0.0022)
        hairs = [
            (self._roots @ line)[:, None] + self._hairs * (side, 1.0)
            for line, side in zip(lines, sides, strict=True)
        ]
        self._paint_hairs(picture, np.concatenate(hairs), size)

    def _paint_hairs(self, picture: np.ndarray, hairs: np.ndarray, size: int) -> None:
        import cv2

        left, top, right, bottom = box_around(hairs.reshape(-1, 2), size)
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        for triangle in fixed_point(hairs, size, (left, top)):
            cv2.fillConvexPoly(mask, triangle, 255, cv2.LINE_AA, 6)
        blend(picture[top:bottom, left:right], self._color * 0.78, mask * np.float32(0.55 / 255))


def brow_landmarks(geometry: Geometry, pose: Pose) -> np.ndarray:
    """iBUG points 17-26 in the picture, [10, 2]: each brow from left to right in the picture."""
    right = brow_line(geometry, pose.values, RIGHT)[::-1]
    left = brow_line(geometry, pose.values, LEFT)
    return pose.place(np.concatenate([right, left]))
