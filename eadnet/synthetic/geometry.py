"""Where everything on a head is, how the skin is pulled about, and the 68 landmarks.

All coordinates are normalised to the picture. Canonical space is the neutral, unmoved head; `Pose` carries
points from there into the picture.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .curves import closed_curve, resample
from .expression import INDEX
from .identity import Identity

PIVOT = np.array([0.5, 0.62])  # the head rolls about this point
PARALLAX = 0.025
JAW_DROP = 0.052
LEFT, RIGHT = 1, -1  # the person's left is on the right of the picture: x = 0.5 + side * offset


class Geometry:
    """Canonical positions of one person's features."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.half_width = 0.292 * identity.head_width
        self.jaw = identity.jaw_width
        self.top = 0.085
        self.chin = 0.858 + 0.012 * identity.chin_length
        self.eye_y = 0.45
        self.eye_x = 0.122 * identity.eye_spacing * (0.5 + 0.5 * identity.head_width)
        self.eye_half_width = 0.0635 * identity.eye_size
        self.eye_height = 0.0335 * identity.eye_size * identity.eye_roundness
        self.eye_tilt = 0.009 * identity.eye_tilt
        self.brow_y = 0.376
        self.nose_y = 0.600 + 0.010 * identity.nose_length
        self.nose_half_width = 0.047 * identity.nose_width
        self.mouth_y = 0.702 + 0.004 * identity.chin_length + 0.003 * identity.nose_length
        self.mouth_half_width = 0.093 * identity.mouth_width

    def eye_center(self, side: int) -> np.ndarray:
        """Centre of the eye of one side, [2]."""
        return np.array([0.5 + side * self.eye_x, self.eye_y])

    @cached_property
    def contour(self) -> np.ndarray:
        """Closed outline of skull and face, [160, 2], clockwise from the top."""
        jaw, low = self.jaw, self.chin - 0.858
        half = [
            (0.0, self.top),
            (0.36, self.top + 0.013),
            (0.70, 0.160),
            (0.92, 0.272),
            (0.995, 0.390),
            (0.990, 0.500),
            (0.930, 0.605),
            (0.805 * jaw, 0.712 + 0.3 * low),
            (0.575 * jaw, 0.793 + 0.7 * low),
            (0.300 * jaw, 0.845 + low),
            (0.0, self.chin),
        ]
        right = [(0.5 + x * self.half_width, y) for x, y in half]
        left = [(0.5 - x * self.half_width, y) for x, y in half[-2:0:-1]]
        return closed_curve(right + left, 160)

    @cached_property
    def jaw_line(self) -> np.ndarray:
        """The 17 iBUG jaw points from ear to ear through the chin, left of the picture first, [17, 2]."""
        contour = self.contour
        lower = contour[contour[:, 1] > 0.44]
        order = np.argsort(np.arctan2(lower[:, 0] - 0.5, lower[:, 1] - 0.44))
        return resample(lower[order], 17)


def _bump(points: np.ndarray, x: float, y: float, sx: float, sy: float) -> np.ndarray:
    return np.exp(-0.5 * (((points[:, 0] - x) / sx) ** 2 + ((points[:, 1] - y) / sy) ** 2))


class Pose:
    """The movement of the head and of its skin for one parameter vector [P]."""

    def __init__(self, geometry: Geometry, params: np.ndarray) -> None:
        self.geometry = geometry
        values = {name: float(params[position]) for name, position in INDEX.items()}
        self.values = values
        angle = np.deg2rad(values["head_roll"])
        cos, sin = np.cos(angle), np.sin(angle)
        self._rotation = np.array(
            [[cos, sin], [-sin, cos]]
        )  # row vectors times this turn clockwise on screen
        self._shift = np.array([values["head_x"], values["head_y"]])
        self._turn = PARALLAX * np.array([values["head_yaw"], values["head_pitch"]])

    def _parallax(self, points: np.ndarray) -> np.ndarray:
        """Turning moves near points (the nose) with the turn and far ones (back of the head) against it."""
        if not self._turn.any():
            return np.zeros(2)
        depth = 1.45 * _bump(points, 0.5, 0.56, 0.19, 0.25) - 0.30
        return depth[:, None] * self._turn

    def _skin(self, points: np.ndarray) -> np.ndarray:
        """Pull of the muscles on the skin: jaw, cheeks, nose and chin."""
        v, g = self.values, self.geometry
        x, y = points[:, 0], points[:, 1]
        moved = np.zeros_like(points)
        if v["jaw_open"]:
            off = (x - 0.5) / 0.27
            drop = np.clip((y - 0.58) / 0.25, 0.0, 1.0)
            drop = v["jaw_open"] * drop * drop * (3 - 2 * drop) * np.exp(-(off**4))
            moved[:, 1] += JAW_DROP * drop
            moved[:, 0] -= 0.018 * drop * off
        inward = 0.010 * v["lip_pucker"] + 0.007 * v["lip_funnel"] - 0.006 * v["lip_stretch"]
        for side, name in ((LEFT, "l"), (RIGHT, "r")):
            smile = v[f"smile_{name}"]
            up = 0.014 * v[f"cheek_raise_{name}"] + 0.010 * smile
            out = side * (0.010 * smile - inward + 0.004 * v[f"dimple_{name}"])
            if up or out:
                cheek = _bump(points, 0.5 + side * 0.155, 0.60, 0.055, 0.055)
                moved[:, 1] -= cheek * up
                moved[:, 0] += cheek * out
        if v["nose_wrinkle"] or v["upper_lip_raise"]:
            nose = _bump(points, 0.5, g.nose_y - 0.01, 0.07, 0.045)
            moved[:, 1] -= nose * (0.011 * v["nose_wrinkle"] + 0.004 * v["upper_lip_raise"])
        if v["chin_raise"]:
            moved[:, 1] -= 0.016 * v["chin_raise"] * _bump(points, 0.5, 0.83, 0.10, 0.05)
        return moved

    def place(self, points: np.ndarray, skin: bool = False) -> np.ndarray:
        """Canonical points [N, 2] -> points in the picture. `skin` adds the pull of the muscles."""
        moved = points + self._parallax(points)
        if skin:
            moved = moved + self._skin(points)
        return (moved - PIVOT) @ self._rotation + PIVOT + self._shift

    def place_all(self, *curves: np.ndarray) -> list[np.ndarray]:
        """`place` for several curves of equal length at once -> one array [N, 2] each."""
        return list(self.place(np.concatenate(curves)).reshape(len(curves), -1, 2))

    def source(self, points: np.ndarray) -> np.ndarray:
        """Inverse of `place(skin=True)`: picture points [N, 2] -> canonical points, to about 1e-3."""
        target = (points - self._shift - PIVOT) @ self._rotation.T + PIVOT
        found = target - self._parallax(target) - self._skin(target)
        for _ in range(2):
            found = target - self._parallax(found) - self._skin(found)
        return found
