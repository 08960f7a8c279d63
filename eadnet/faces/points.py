"""The three points that LatentSync aligns a face by, estimated from a detector's five."""

from __future__ import annotations

import numpy as np

# How much of each of the five points goes into right brow, left brow and nose; rows add up to 1. They are
# exact for the canonical face model that belongs to MediaPipe's landmarker, seen from anywhere without
# perspective: points that do not lie in a plane fix every other by such a sum. Of all such sums these are the
# smallest that take nothing from the mouth but how far down it is: its corners move as it speaks and smiles,
# so the eyes alone say which way the brows lie and how wide. No recording of a person went into them.
_WEIGHTS = np.array(
    [
        [1.192, 0.001, 0.228, -0.2105, -0.2105],
        [0.001, 1.192, 0.228, -0.2105, -0.2105],
        [0.107, 0.107, 0.602, 0.092, 0.092],
    ]
)


def alignment_points(points: np.ndarray) -> np.ndarray:
    """Five points [..., 5, 2] in YuNet's order -> right brow, left brow, nose [..., 3, 2].

    Right is the person's, so the first point is the one LatentSync's template calls left.
    """
    estimated: np.ndarray = _WEIGHTS @ points
    return estimated
