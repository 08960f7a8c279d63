"""Smooth curves through a few control points, and strokes of varying width around them. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

Points = np.ndarray  # float64 [N, 2], columns x and y


def _catmull_rom(padded: Points, segments: int, samples: int) -> Points:
    """Evaluate `segments` Catmull-Rom segments whose control points start at row 1 of `padded`."""
    t = np.linspace(0.0, segments, samples)
    index = np.minimum(t.astype(int), segments - 1)
    t = (t - index)[:, None]
    a, b, c, d = (padded[index + shift] for shift in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def open_curve(control: Sequence[Sequence[float]] | Points, samples: int = 40) -> Points:
    """Curve through all control points [K, 2] (K >= 2), from the first to the last -> [samples, 2]."""
    points = np.asarray(control, dtype=float)
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    return _catmull_rom(padded, len(points) - 1, samples)


def closed_curve(control: Sequence[Sequence[float]] | Points, samples: int = 80) -> Points:
    """Closed curve through all control points [K, 2] (K >= 3) -> [samples, 2], first point not repeated."""
    points = np.asarray(control, dtype=float)
    padded = np.concatenate([points[-1:], points, points[:2]])
    return _catmull_rom(padded, len(points), samples + 1)[:-1]


def ribbon(line: Points, widths: np.ndarray | float) -> Points:
    """Outline [2N, 2] of a stroke along `line` [N, 2]; `widths` is its full width at each point."""
    # As complex numbers a quarter turn is a product with 1j, and the stroke takes a handful of operations.
    middle = np.ascontiguousarray(line, dtype=float).view(complex)[:, 0]
    tangent = np.empty_like(middle)
    np.subtract(middle[2:], middle[:-2], out=tangent[1:-1])
    tangent[0] = middle[1] - middle[0]
    tangent[-1] = middle[-1] - middle[-2]
    offset = tangent * (widths / (2 * np.abs(tangent) + 1e-9)) * 1j
    outline = np.concatenate([middle + offset, (middle - offset)[::-1]])
    return outline.view(float).reshape(-1, 2)


def tapered(
    samples: int, width: float, start: float = 0.1, peak: float = 0.5, end: float = 0.1
) -> np.ndarray:
    """Widths [samples] that grow from `start`*width to `width` at `peak` (0..1) and shrink to `end`*width."""
    return width * _taper(samples, start, peak, end)


@lru_cache(maxsize=64)
def _taper(samples: int, start: float, peak: float, end: float) -> np.ndarray:
    return np.interp(np.linspace(0, 1, samples), [0.0, peak, 1.0], [start, 1.0, end])


def resample(line: Points, samples: int) -> Points:
    """Points [samples, 2] at equal distances along the polyline `line`."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, length[-1], samples)
    return np.stack([np.interp(at, length, line[:, 0]), np.interp(at, length, line[:, 1])], axis=1)


def ellipse(
    center: Sequence[float] | np.ndarray, radius_x: float, radius_y: float, samples: int = 40
) -> Points:
    """Outline of an axis-aligned ellipse -> [samples, 2]."""
    angle = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    return np.stack([center[0] + radius_x * np.cos(angle), center[1] + radius_y * np.sin(angle)], axis=1)


def mirrored(points: Sequence[Sequence[float]] | Points, axis: float = 0.5) -> Points:
    """The points reflected at the vertical line x = axis."""
    points = np.array(points, dtype=float)
    points[:, 0] = 2 * axis - points[:, 0]
    return points
