"""The mouth: its shape as a function of the parameters, and how it is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import blend, box_around, fill, paint
from .curves import ellipse, ribbon
from .geometry import JAW_DROP, Geometry, Pose

_S = np.linspace(-1.0, 1.0, 33)  # from the person's right corner (left of the picture) to the left corner
_ABS = np.abs(_S)
_RIGHT_HALF = np.maximum(-_S, 0.0)
_LEFT_HALF = np.maximum(_S, 0.0)
_LINE_WIDTH = 0.0052 * np.sqrt(np.maximum(0.06, 1 - _ABS**4))
_REST = 0.0035 * (np.exp(-((_S / 0.22) ** 2)) - 0.7 * np.exp(-(((_ABS - 0.48) / 0.22) ** 2)))
_BOW = (1 + 0.16 * np.exp(-(((_ABS - 0.24) / 0.15) ** 2)) - 0.13 * np.exp(-((_S / 0.10) ** 2))) * (
    1 - _ABS**1.5
) ** 0.9
_BELLY = (1 - _ABS**2.2) ** 0.9


@dataclass(frozen=True)
class MouthShape:
    """Curves [33, 2] from corner to corner in canonical space, and what shows between the lips."""

    outer_upper: np.ndarray
    inner_upper: np.ndarray
    inner_lower: np.ndarray
    outer_lower: np.ndarray
    gap: float  # height of the opening in the middle
    jaw: float  # how far the lower teeth hang below the upper ones


def mouth_shape(geometry: Geometry, v: dict[str, float]) -> MouthShape:
    """Lip curves for the parameter values `v`.

    The opening grows smoothly with jaw_open and is 0 for lip_close = 1.
    """
    lips = geometry.identity.lip_thickness
    part = (1 - v["lip_close"]) * (1 - 0.85 * v["lip_press"])
    smile = 0.5 * (v["smile_l"] + v["smile_r"])

    drop = (0.070 * v["jaw_open"] + 0.019 * v["lower_lip_depress"] + 0.012 * v["lip_funnel"]) * (
        1 - 0.75 * v["lip_bite"]
    )
    drop = (drop + 0.010 * v["tongue_up"]) * part
    lift = 0.010 * v["jaw_open"] + 0.021 * v["upper_lip_raise"] + 0.010 * v["lip_funnel"]
    lift = (lift + 0.016 * v["lip_bite"] + 0.005 * v["nose_wrinkle"] + 0.004 * smile * v["jaw_open"]) * part

    def reach(side: str) -> float:
        wide = 0.20 * v[f"smile_{side}"] + 0.11 * v[f"dimple_{side}"] + 0.22 * v["lip_stretch"]
        narrow = (
            0.48 * v["lip_pucker"] + 0.30 * v["lip_funnel"] + 0.10 * v["jaw_open"] + 0.05 * v["lip_press"]
        )
        return geometry.mouth_half_width * float(np.exp(wide - narrow))

    def corner(side: str) -> float:
        up = 0.036 * v[f"smile_{side}"] + 0.009 * v[f"dimple_{side}"]
        down = (
            0.030 * v[f"frown_{side}"] + 0.010 * v["lip_stretch"] + 0.012 * v["jaw_open"] * (1 - 0.5 * smile)
        )
        return down - up

    x = 0.5 + reach("l") * _LEFT_HALF - reach("r") * _RIGHT_HALF
    middle = geometry.mouth_y - 0.014 * v["chin_raise"] - 0.005 * v["nose_wrinkle"] + 0.004 * smile
    middle += 0.020 * v["jaw_open"] * v["lip_close"]
    base = middle + corner("l") * _LEFT_HALF**1.8 + corner("r") * _RIGHT_HALF**1.8
    # At rest the line between the lips has the upper lip's tubercle in the middle.
    base = base + _REST

    roundness = min(1.0, v["lip_funnel"] + 0.8 * v["lip_pucker"])
    profile = (1 - _ABS ** (2.3 - 0.3 * roundness)) ** (0.80 - 0.25 * roundness)
    upper = np.stack([x, base - lift * profile], axis=1)
    lower = np.stack([x, base + drop * profile], axis=1)

    pout = 0.30 * v["lip_pucker"] + 0.22 * v["lip_funnel"] + 0.25 * v["chin_raise"]
    rolled = 0.60 * v["lip_press"] + 0.22 * v["lip_close"] + 0.15 * smile + 0.18 * v["lip_stretch"]
    upper_height = 0.0235 * lips * float(np.exp(pout - rolled - 0.25 * v["upper_lip_raise"]))
    lower_height = 0.0315 * lips * float(np.exp(pout - rolled - 0.85 * v["lip_bite"] - 0.10 * v["jaw_open"]))
    outer_upper = upper - np.stack([0 * x, upper_height * _BOW], axis=1)
    outer_lower = lower + np.stack([0 * x, lower_height * _BELLY], axis=1)
    jaw = JAW_DROP * 1.15 * v["jaw_open"]
    return MouthShape(outer_upper, upper, lower, outer_lower, drop + lift, jaw)


def mouth_landmarks(shape: MouthShape, pose: Pose) -> np.ndarray:
    """iBUG points 48-67 in the picture, [20, 2]."""
    outer = [0, 5, 11, 16, 21, 27, 32]
    inner = [3, 11, 16, 21, 29]
    points = np.concatenate(
        [
            shape.outer_upper[outer],
            shape.outer_lower[outer[5:0:-1]],
            shape.inner_upper[inner],
            shape.inner_lower[inner[3:0:-1]],
        ]
    )
    return pose.place(points)


class MouthPainter:
    """Paints one person's mouth."""

    def __init__(self, geometry: Geometry) -> None:
        identity = geometry.identity
        skin, lip = np.asarray(identity.skin_color) * 255, np.asarray(identity.lip_color) * 255
        self._geometry = geometry
        self._lower = lip * 1.05 + 3
        self._upper = lip * 0.87
        self._line = lip * (0.46, 0.32, 0.32)
        self._shine = lip * 0.45 + np.array([255, 236, 230]) * 0.55
        self._gloss = 0.30 + 0.25 * identity.makeup
        self._skin_shadow = skin * (0.66, 0.54, 0.52)
        self._skin_light = skin * 0.75 + 0.25 * np.array([255, 244, 232])

    def paint(self, picture: np.ndarray, shape: MouthShape, pose: Pose, size: int) -> np.ndarray:
        """Paint onto the float32 picture [size, size, 3]; returns the outline of the lips [66, 2]."""
        outer_upper, inner_upper, inner_lower, outer_lower = pose.place_all(
            shape.outer_upper, shape.inner_upper, shape.inner_lower, shape.outer_lower
        )
        outline = np.concatenate([outer_upper, outer_lower[::-1]])
        middle = outer_lower[16]

        paint(picture, ribbon(outer_lower[8:25] + (0, 0.011), 0.010), self._skin_shadow, size, 0.42, 0.007)
        paint(picture, ribbon(outer_upper + (0, -0.004), 0.004), self._skin_light, size, 0.35, 0.003)
        corners = ((outer_upper[0], -1), (outer_upper[-1], 1))
        spots = [ellipse(corner + (toward * 0.003, 0.001), 0.008, 0.007, 14) for corner, toward in corners]
        paint(picture, spots, self._skin_shadow, size, 0.40, 0.004)

        paint(picture, outline, self._lower, size, 1.0, 0.0012)
        paint(picture, np.concatenate([outer_upper, inner_upper[::-1]]), self._upper, size, 1.0, 0.0012)
        # Volume: the lower lip is darker towards its edge and towards the corners, glossy in the middle.
        paint(picture, ribbon(outer_lower[3:30], 0.007), self._upper, size, 0.45, 0.004)
        center = 0.55 * inner_lower[16] + 0.45 * middle
        height = float(np.linalg.norm(middle - inner_lower[16]))
        width = 0.36 * float(np.linalg.norm(outer_upper[-1] - outer_upper[0])) / 2
        paint(picture, ellipse(center, width, 0.24 * height, 20), self._shine, size, self._gloss, 0.0045)
        paint(picture, ribbon(outer_upper[11:22] + (0, 0.005), 0.004), self._shine, size, 0.22, 0.003)

        self._paint_inside(picture, inner_upper, inner_lower, shape, pose, size)
        paint(picture, ribbon(inner_upper, _LINE_WIDTH), self._line, size, 0.85, 0.001)
        return outline

    def _paint_inside(
        self,
        picture: np.ndarray,
        upper: np.ndarray,
        lower: np.ndarray,
        shape: MouthShape,
        pose: Pose,
        size: int,
    ) -> None:
        """Dark cavity with tongue and teeth, clipped to the opening."""
        import cv2

        opening = np.concatenate([upper, lower[::-1]])
        left, top, right, bottom = box_around(opening, size)
        if right <= left or bottom <= top:
            return
        origin = (left, top)
        inside = np.empty((bottom - top, right - left, 3), np.uint8)
        inside[:] = (58, 18, 22)
        v, g = pose.values, self._geometry
        teeth_x = np.linspace(-1, 1, 13)
        arch = 0.008 * teeth_x**2

        def band(y_top: float, y_bottom: float, half: float, bend: float) -> np.ndarray:
            a = np.stack([0.5 + half * teeth_x, y_top - bend * arch], axis=1)
            b = np.stack([0.5 + half * teeth_x, y_bottom - bend * arch], axis=1)
            return pose.place(np.concatenate([a, b[::-1]]))

        rest = g.mouth_y - 0.004
        tongue_y = rest + 0.026 + 0.92 * shape.jaw
        fill(
            inside,
            pose.place(ellipse((0.5, tongue_y + 0.016), 0.058, 0.030, 24)),
            (176, 84, 84),
            size,
            origin,
        )
        fill(
            inside,
            pose.place(ellipse((0.5, tongue_y + 0.004), 0.030, 0.012, 20)),
            (192, 101, 99),
            size,
            origin,
        )
        lower_edge = rest + 0.0125 + shape.jaw + 0.002 * v["lower_lip_depress"]
        fill(inside, band(lower_edge, lower_edge + 0.05, 0.064, -1.0), (214, 206, 194), size, origin)
        if v["tongue_up"] > 0:
            up = v["tongue_up"]
            start = float(shape.inner_lower[16, 1]) + 0.008  # just out of sight behind the lower lip
            tip_y = start + (rest + 0.012 - start) * up
            tip = ellipse((0.5, tip_y + 0.024), 0.022 + 0.018 * min(1.0, up * 3), 0.030, 24)
            fill(inside, pose.place(tip), (203, 104, 102), size, origin)
            fill(
                inside,
                pose.place(ellipse((0.5, tip_y + 0.010), 0.018, 0.008, 20)),
                (218, 126, 122),
                size,
                origin,
            )
        edge = rest + 0.0145
        fill(inside, band(edge - 0.06, edge, 0.072, 1.0), (240, 235, 226), size, origin)
        if size >= 600:
            for x in (-0.75, -0.45, -0.16, 0.16, 0.45, 0.75):
                gap = pose.place(np.array([[0.5 + 0.068 * x, edge - 0.03], [0.5 + 0.068 * x, edge - 0.002]]))
                fill(inside, ribbon(gap, 0.0012), (212, 203, 194), size, origin)
        # The upper lip throws its shadow on the teeth; the corners are in the dark.
        shade = np.zeros(inside.shape[:2], np.uint8)
        fill(shade, ribbon(upper, 0.018), 255, size, origin)
        shadow = cv2.GaussianBlur(shade, (0, 0), max(0.4, 0.006 * size)).astype(np.float32)
        columns = (np.arange(left, right, dtype=np.float32) + 0.5) / size
        half = max(1e-3, (upper[-1, 0] - upper[0, 0]) / 2)
        side = np.clip(np.abs(columns - (upper[0, 0] + upper[-1, 0]) / 2) / half, 0, 1) ** 3
        dim = (1 - shadow * np.float32(0.45 / 255)) * (1 - np.float32(0.60) * side.astype(np.float32))
        content = inside * cv2.cvtColor(dim, cv2.COLOR_GRAY2RGB).reshape(inside.shape)
        mask = np.zeros(inside.shape[:2], np.uint8)
        fill(mask, opening, 255, size, origin)
        # A closed mouth has no inside: fade it in over the first pixel of opening.
        blend(picture[top:bottom, left:right], content, mask * np.float32(min(1.0, shape.gap / 0.008) / 255))
