"""Anti-aliased painting on pictures in normalised coordinates: (0, 0) top left, (1, 1) bottom right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_SHIFT = 6
_FIXED = float(1 << _SHIFT)


def fixed_point(points: np.ndarray, size: int, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Normalised points [N, 2] as OpenCV's sub-pixel integers relative to the pixel `origin` (x, y)."""
    fixed = points * (size * _FIXED)
    fixed -= ((origin[0] + 0.5) * _FIXED, (origin[1] + 0.5) * _FIXED)
    return np.rint(fixed, out=fixed).astype(np.int32)


def box_around(points: np.ndarray, size: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of the box around points [N, 2] with a margin of two pixels.

    The box is cut off at the picture's edges; it is empty (right <= left or bottom <= top) outside of it.
    """
    left, top = np.floor(points.min(0) * size - 2)
    right, bottom = np.ceil(points.max(0) * size + 2)
    return max(0, int(left)), max(0, int(top)), min(size, int(right)), min(size, int(bottom))


def fill(
    target: np.ndarray, points: np.ndarray, color: float | Sequence[float], size: int, origin=(0, 0)
) -> None:
    """Fill a polygon on a uint8 picture (anti-aliased), in place."""
    import cv2

    cv2.fillPoly(target, [fixed_point(points, size, origin)], color, cv2.LINE_AA, _SHIFT)


def polygon_mask(points: np.ndarray, size: int) -> np.ndarray:
    """Coverage of a polygon on a size x size picture -> float32 [size, size] in 0..1."""
    mask = np.zeros((size, size), np.uint8)
    fill(mask, points, 255, size)
    return mask.astype(np.float32) / np.float32(255)


def lines_mask(lines: list[np.ndarray], size: int, width: float) -> np.ndarray:
    """Coverage of polylines of a normalised width -> float32 [size, size] in 0..1."""
    import cv2

    mask = np.zeros((size, size), np.uint8)
    if lines:
        # Lines thinner than a pixel are drawn one pixel wide and fainter, so that every size looks alike.
        pixels = width * size
        fixed = [fixed_point(line, size) for line in lines]
        cv2.polylines(mask, fixed, False, 255 * min(1.0, pixels), max(1, round(pixels)), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def blur(picture: np.ndarray, radius: float, size: int) -> np.ndarray:
    """Gaussian blur whose standard deviation is `radius` of the picture's side."""
    import cv2

    sigma = radius * size
    if sigma < 0.3:
        return picture
    # Large blurs are smooth enough to be done at a fraction of the resolution, many times faster.
    factor = int(min(sigma / 3, size / 8))
    if factor >= 2:
        small = cv2.resize(
            picture,
            (max(1, picture.shape[1] // factor), max(1, picture.shape[0] // factor)),
            interpolation=cv2.INTER_AREA,
        )
        small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
        return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def blend(region: np.ndarray, color: np.ndarray | Sequence[float], weight: np.ndarray) -> None:
    """Move `region` float32 [H, W, 3] towards a colour [3] or picture [H, W, 3] by `weight` [H, W], in place.

    OpenCV's element-wise operations are several times faster here than numpy broadcasting over channels.
    """
    import cv2

    color = np.asarray(color, np.float32)
    target: Any = (*color.tolist(), 0.0) if color.ndim == 1 else color
    weight = np.ascontiguousarray(weight, np.float32)
    # Results are shaped again because OpenCV may drop an axis of length one.
    change = cv2.subtract(region, target).reshape(region.shape)
    region -= change * cv2.cvtColor(weight, cv2.COLOR_GRAY2RGB).reshape(region.shape)


def remap(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The picture [N, N, C] read at the pixel positions `field` [H, W, 2] -> [H, W, C], edges continued."""
    import cv2

    opencv: Any = cv2  # its type stubs do not know that a two-channel map needs no second one
    moved = opencv.remap(picture, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved).reshape(*field.shape[:2], picture.shape[2])


def paint(
    picture: np.ndarray,
    points: np.ndarray | list[np.ndarray],
    color: np.ndarray,
    size: int,
    opacity: float = 1.0,
    soft: float = 0.0,
) -> None:
    """Blend filled polygons over a float32 picture [size, size, 3] with values 0..255, in place.

    `soft` blurs their edges by that part of the picture's side. Only the box around them is touched.
    """
    found = soft_polygon(points, size, soft, opacity)
    if found is not None:
        weight, rows, columns = found
        blend(picture[rows, columns], color, weight)


def soft_polygon(
    points: np.ndarray | list[np.ndarray], size: int, soft: float = 0.0, opacity: float = 1.0
) -> tuple[np.ndarray, slice, slice] | None:
    """Coverage of a polygon, or of several apart from each other, with blurred edges in the box around them.

    Returns (float32 [h, w], rows, columns), or None where nothing of it is on the picture.
    """
    import cv2

    fixed = [fixed_point(outline, size) for outline in (points if isinstance(points, list) else [points])]
    sigma = soft * size
    margin = int(2.5 * sigma) + 2
    left, top, width, height = cv2.boundingRect(np.concatenate(fixed))
    right = min(size, ((left + width) >> _SHIFT) + margin + 1)
    bottom = min(size, ((top + height) >> _SHIFT) + margin + 1)
    left, top = max(0, (left >> _SHIFT) - margin), max(0, (top >> _SHIFT) - margin)
    if right <= left or bottom <= top or opacity <= 0:
        return None
    mask = np.zeros((bottom - top, right - left), np.uint8)
    # OpenCV adds the offset to the fixed-point coordinates.
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, _SHIFT, (-left << _SHIFT, -top << _SHIFT))
    weight: np.ndarray = mask.astype(np.float32)
    if sigma >= 0.35:
        kernel = 2 * int(2.5 * sigma) + 3  # shorter than OpenCV's own choice, which reaches to four sigmas
        weight = cv2.GaussianBlur(weight, (kernel, kernel), sigma, borderType=cv2.BORDER_CONSTANT)
    weight *= np.float32(opacity / 255)
    return weight, slice(top, bottom), slice(left, right)
