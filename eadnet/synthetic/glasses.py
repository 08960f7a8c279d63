"""Spectacles, drawn in canonical space in front of the face."""

from __future__ import annotations

import numpy as np

from .canvas import blend, blur, polygon_mask
from .curves import ellipse, open_curve, ribbon
from .geometry import Geometry


def _rounded_box(center: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    """A superellipse: a box with soft corners, [64, 2]."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    x = half_width * np.sign(cos) * np.abs(cos) ** 0.5
    y = half_height * np.sign(sin) * np.abs(sin) ** 0.5
    return np.stack([center[0] + x, center[1] + y], axis=1)


def draw_glasses(geometry: Geometry, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint the frame and its glass -> (float32 [size, size, 3] in 0..255, coverage float32 [size, size])."""
    identity = geometry.identity
    color = np.asarray(identity.glasses_color, np.float32) * 255
    frame, glass, glint = (np.zeros((size, size), np.float32) for _ in range(3))
    reach = geometry.half_width * 0.99
    for way in (-1, 1):
        center = np.array([0.5 + way * (geometry.eye_x + 0.002), geometry.eye_y + 0.008])
        if identity.glasses == "round":
            outer, inner = ellipse(center, 0.086, 0.082, 64), ellipse(center, 0.0775, 0.0735, 64)
            edge = center[0] + way * 0.084
        else:
            outer, inner = _rounded_box(center, 0.090, 0.066), _rounded_box(center, 0.079, 0.056)
            edge = center[0] + way * 0.087
        hole = polygon_mask(inner, size)
        frame = np.maximum(frame, polygon_mask(outer, size) * (1 - hole))
        glass = np.maximum(glass, hole)
        arm = open_curve([(edge, 0.432), (0.5 + way * reach, 0.425)], 8)
        frame = np.maximum(frame, polygon_mask(ribbon(arm, 0.011), size))
        streak = (
            np.array([(0.010, -0.06), (0.034, -0.06), (-0.012, 0.06), (-0.036, 0.06)]) + center - (0.012, 0)
        )
        glint = np.maximum(glint, polygon_mask(streak, size) * hole)
    half = geometry.eye_x - 0.078
    bridge = open_curve([(0.5 - half, 0.452), (0.5, 0.438), (0.5 + half, 0.452)], 20)
    frame = np.maximum(frame, polygon_mask(ribbon(bridge, 0.010), size))
    alpha = np.maximum(frame, np.maximum(0.05 * glass, 0.13 * blur(glint, 0.003, size)))
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = (236, 242, 246)
    shine = np.clip(frame - np.roll(frame, max(1, round(0.004 * size)), axis=0), 0, 1)
    blend(picture, color, np.clip(frame * 4, 0, 1))
    blend(picture, np.minimum(color * 1.3 + 50, 255), shine * 0.6)
    return picture, alpha
