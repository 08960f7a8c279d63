"""Where the face lies in a model's square crop: the framings by name.

Every framing gives matrices from pixels of the frame to pixels of a square crop, (0, 0) at the centre of the
first pixel.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .affine import align_track, crop_size

FRAMINGS = ("latentsync", "portrait")

# Right eye, left eye, nose tip, right and left mouth corner as shares of the side of the square, in images
# like those `mini` was trained on: means over 400 people of `eadnet.synthetic` at rest.
PORTRAIT_TEMPLATE = (
    (0.378, 0.446),
    (0.622, 0.446),
    (0.500, 0.564),
    (0.407, 0.702),
    (0.593, 0.702),
)
# A mouth speaks, and a nose swings out when the head turns: the eyes hold the crop.
_WEIGHTS = np.array([1.0, 1.0, 0.5, 0.3, 0.3])


def frame_face(framing: str, points: np.ndarray, brows: np.ndarray, resolution: int) -> Tensor:
    """Matrices of the frames of one shot.

    Args:
        framing: one of `FRAMINGS`.
        points: [T, 5, 2], a detector's five points.
        brows: [T, 3, 2], the middles of brows and nose.
        resolution: side of the square crop in pixels.

    Returns:
        [T, 2, 3] float32, from frame to crop pixels.

    Raises:
        InputError: an unknown framing, or points that coincide.
    """
    if framing == "latentsync":
        matrices, _ = align_track(torch.from_numpy(brows), resolution)
        return rescaled(matrices, crop_size(resolution), (resolution, resolution))
    if framing == "portrait":
        goal = np.array(PORTRAIT_TEMPLATE) * resolution - 0.5
        return torch.from_numpy(_similarity(points, goal)).float()
    raise InputError(f"The framing is '{framing}': use one of {', '.join(FRAMINGS)}.")


def rescaled(matrices: Tensor, size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """Matrices [..., 2, 3] into an image of ``size`` (width, height) -> into the same of ``new_size``."""
    factor = torch.tensor([new_size[0] / size[0], new_size[1] / size[1]], dtype=torch.float64)
    scaled = matrices.cpu().double() * factor[:, None]
    scaled[..., 2] += 0.5 * (factor - 1)  # the first pixel's centre is half a pixel from the edge
    return scaled.float().to(matrices)


def _similarity(points: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Least squares rotation, scale and shift from points [T, N, 2] to goal [N, 2] -> [T, 2, 3].

    With points as complex numbers this is a line through weighted data.
    """
    weights = _WEIGHTS / _WEIGHTS.sum()
    p = points[..., 0] + 1j * points[..., 1]
    q = goal[:, 0] + 1j * goal[:, 1]
    p_mean, q_mean = (p * weights).sum(-1, keepdims=True), (q * weights).sum()
    p, q = p - p_mean, q - q_mean
    spread = (weights * np.abs(p) ** 2).sum(-1)
    if not np.isfinite(spread).all() or (spread < 1e-9).any():
        raise InputError("the face landmarks coincide or are not finite: this frame has no usable face.")
    turn = (weights * q * p.conj()).sum(-1) / spread
    shift = q_mean - turn * p_mean[:, 0]
    rows = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]
    return np.array(rows).transpose(2, 0, 1)
