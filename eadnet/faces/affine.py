"""LatentSync's face alignment: three points of a face moved onto a fixed template (arXiv 2412.09262).

The points are the centres of the left brow, the right brow and the nose, in pixels. The crop is 210 x 280
at resolution 256 and is then resized to a square.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError

# Left brow, right brow, nose in a crop of 75 x 100; 2.8 of these units are one pixel at resolution 256.
_TEMPLATE = ((17.0, 20.0), (58.0, 20.0), (37.5, 40.0))
_CROP = (75, 100)
_SCALE = 2.8
# Share of the previous frame's correction that is kept in the next.
_INERTIA = 0.2


def template(resolution: int = 256) -> Tensor:
    """Where the three points lie in the crop, (x, y) in pixels; [3, 2], float64."""
    return torch.tensor(_TEMPLATE, dtype=torch.float64) * (_SCALE * resolution / 256)


def crop_size(resolution: int = 256) -> tuple[int, int]:
    """(width, height) of the crop in pixels before it is resized to a square."""
    ratio = _SCALE * resolution / 256
    return int(_CROP[0] * ratio), int(_CROP[1] * ratio)


def _normalised(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points with mean zero and deviation one, their mean [2] and their deviation []."""
    centre = points.mean(dim=0)
    centred = points - centre
    spread = centred.std()
    if not bool(torch.isfinite(spread)) or float(spread) < 1e-6:
        raise InputError(
            "the three face landmarks coincide or are not finite: this frame has no usable face."
        )
    return centred / spread, centre, spread


def align(
    points: Tensor, target: Tensor, correction: Tensor | None = None, smooth: bool = True
) -> tuple[Tensor, Tensor | None]:
    """The similarity that carries three points onto a template, by Procrustes analysis.

    The rotation is the orthogonal Procrustes solution, the scale the ratio of the standard deviations. With
    `smooth`, the image is also shifted by a correction that changes slowly from frame to frame: how far the
    nose is from its place in the normalised shapes, in pixels (about one; kept because the published models
    were trained on crops made so).

    Args:
        points: [3, 2], (x, y) in pixels of the image.
        target: [3, 2], from `template`.
        correction: what the previous frame returned; None for the first.
        smooth: apply the correction.

    Returns:
        (matrix [2, 3] float64 from image to crop coordinates, the correction [2] for the next frame).

    Raises:
        InputError: the points coincide or are not finite.
    """
    source, source_centre, source_spread = _normalised(points.detach().to("cpu", torch.float64))
    goal, goal_centre, goal_spread = _normalised(target.detach().to("cpu", torch.float64))
    u, _, vh = torch.linalg.svd(source.T @ goal)
    v = vh.T
    if torch.linalg.det(v @ u.T) < 0:  # a mirror image is no pose of a head
        v = torch.stack([v[:, 0], -v[:, 1]], dim=1)
    linear = goal_spread / source_spread * (v @ u.T)
    shift = goal_centre - linear @ source_centre
    if smooth:
        wanted = goal[2] - source[2]
        correction = wanted if correction is None else _INERTIA * correction + (1 - _INERTIA) * wanted
        shift = shift + correction
    return torch.cat([linear, shift[:, None]], dim=1), correction


def align_track(
    points: Tensor, resolution: int = 256, correction: Tensor | None = None, smooth: bool = True
) -> tuple[Tensor, Tensor | None]:
    """Alignment matrices of consecutive frames.

    Args:
        points: [T, 3, 2], (x, y) in pixels; left brow, right brow, nose.
        resolution: side of the square crop the model works on.
        correction: what the previous part of the track returned; None at its start.
        smooth: LatentSync's correction from frame to frame.

    Returns:
        (matrices [T, 2, 3] float32 from image to crop coordinates, the correction for the next part).

    Raises:
        InputError: not [T, 3, 2], or points that coincide or are not finite.
    """
    if points.ndim != 3 or tuple(points.shape[1:]) != (3, 2):
        raise InputError(f"face points have shape {list(points.shape)}: use [frames, 3, 2].")
    matrices = []
    for frame in points:
        matrix, correction = align(frame, template(resolution), correction, smooth)
        matrices.append(matrix)
    if not matrices:
        return torch.zeros(0, 2, 3), correction
    return torch.stack(matrices).float(), correction


def invert(matrices: Tensor) -> Tensor:
    """From crop back to image coordinates; [..., 2, 3] -> [..., 2, 3]."""
    linear = torch.linalg.inv(matrices[..., :2])
    return torch.cat([linear, -linear @ matrices[..., 2:]], dim=-1)
