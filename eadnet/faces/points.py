"""The three points that LatentSync aligns a face by, estimated from a detector's five."""

from __future__ import annotations

import numpy as np

# In the canonical face model that belongs to MediaPipe's landmarker, seen from the front: the middles of the
# brows are 1.147 times as far apart as those of the eyes and above them by 0.278 of the way from the eyes to
# the corners of the mouth. Lengths along two axes of the face keep this true when it nods or turns.
_APART, _ABOVE = 1.147, 0.278


def alignment_points(points: np.ndarray) -> np.ndarray:
    """Five points [..., 5, 2] in YuNet's order -> right brow, left brow, nose [..., 3, 2].

    Right is the person's, so the first point is the one LatentSync's template calls left. The tip of the
    nose stands for the middle of its lower half, which is at the same height.
    """
    right, left, nose = points[..., 0, :], points[..., 1, :], points[..., 2, :]
    eyes, mouth = (right + left) / 2, (points[..., 3, :] + points[..., 4, :]) / 2
    up = eyes - _ABOVE * (mouth - eyes)
    half = _APART * (left - right) / 2
    return np.stack([up - half, up + half, nose], axis=-2)
