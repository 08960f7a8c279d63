"""Turned windows of a picture, as MediaPipe cuts them for its face mesh.

A window is five numbers: x and y of its middle, width, height, and the angle in radians by which it is turned
clockwise. As everywhere in MediaPipe, positions count from the picture's corner: the middle of its first
pixel is (0.5, 0.5).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_ROOM = 1.5  # windows are so much larger than the box of what they are to show
_STEPS = 32  # OpenCV's linear interpolation knows so many places between two pixels


def window_around(box: np.ndarray, right_eye: np.ndarray, left_eye: np.ndarray) -> np.ndarray:
    """The window [5] around a box [4] (left, top, right, bottom) that shows the eyes [2] level."""
    across = left_eye - right_eye
    middle, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * _ROOM
    return np.array([*middle, *size, np.arctan2(across[1], across[0])], np.float64)


def window_of_points(points: np.ndarray) -> np.ndarray:
    """The square window [5] in which to look for a face in the next frame, from its mesh [478, 2 or more]."""
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    window = window_around(box, points[33, :2], points[263, :2])
    window[2:4] = window[2:4].max()
    return window


def is_usable(window: np.ndarray) -> bool:
    """Whether the numbers are finite and the window is at least a pixel large."""
    return bool(np.isfinite(window).all()) and float(window[2:4].min()) >= 1.0


def cut(picture: Tensor, window: np.ndarray, side: int) -> Tensor:
    """What a picture uint8 [H, W, 3] shows in a window, [3, side, side] in 0..255; its edge is repeated.

    The pixels lie where MediaPipe's processor path (OpenCV) puts them: pixel i shows the place i / side
    across the window, and none of what lies between two pixels is averaged.
    """
    height, width = picture.shape[:2]
    at = np.arange(side) / side - 0.5
    cosine, sine = np.cos(window[4]), np.sin(window[4])
    across, down = at * window[2], at[:, None] * window[3]
    left, right, x = _axis(window[0] + cosine * across, -sine * down, width)
    top, bottom, y = _axis(window[1] + sine * across, cosine * down, height)
    part = picture[top:bottom, left:right].permute(2, 0, 1).float()
    grid = torch.stack([x, y], dim=-1).to(part.device)
    seen = F.grid_sample(part[None], grid[None], "bilinear", "border", align_corners=True)[0]
    return seen.add_(0.5).floor_()


def in_picture(points: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Points [N, 3] in shares of a window -> in pixels of the picture; depth is in the same units as x."""
    x, y = (points[:, 0] - 0.5) * window[2], (points[:, 1] - 0.5) * window[3]
    cosine, sine = np.cos(window[4]), np.sin(window[4])
    return np.stack(
        [
            cosine * x - sine * y + window[0],
            sine * x + cosine * y + window[1],
            points[:, 2] * window[2],
        ],
        axis=1,
    )


def _axis(across: np.ndarray, down: np.ndarray, count: int) -> tuple[int, int, Tensor]:
    """Positions ``across`` [side] + ``down`` [side, 1] in a picture of ``count`` pixels along one axis.

    Gives the first pixel that is needed, the one past the last, and the positions between them as
    grid_sample takes them, [side, side].
    """
    steps = torch.from_numpy(across * _STEPS + down * _STEPS).round_()
    places = steps.float().clamp_(0, (count - 1) * _STEPS)
    low, high = (float(value) for value in places.aminmax())
    first, past = int(low) // _STEPS, -int(-high // _STEPS) + 1
    # Of aligned corners: the first pixel is -1, the last 1.
    scale = 2 / max(1, past - 1 - first)
    return first, past, places.sub_(first * _STEPS).mul_(scale / _STEPS).sub_(1)
