"""Where a video jumps from one shot to the next."""

from __future__ import annotations

import numpy as np

_GRID = 24  # a frame is reduced to so many rows and columns
_BINS = 16
# All must change at once: a camera that moves keeps the histogram, a light that goes on keeps the pattern of
# bright and dark, and so does a flash. Fractions of full scale and of the pixels; correlation.
_MOVED, _RECOLOURED, _ALIKE = 0.10, 0.30, 0.75
_OUTLIER = 3.0  # and by so many times more than in the frames before


class CutFinder:
    """Fed with frames one after the other, says which of them begins a new shot."""

    def __init__(self) -> None:
        self._small: np.ndarray | None = None
        self._usual = 0.0

    def is_cut(self, frame: np.ndarray) -> bool:
        """Whether a frame uint8 [H, W, 3] does not continue the one before. The first does."""
        small = _reduced(frame)
        previous, self._small = self._small, small
        if previous is None:
            return False
        if previous.shape != small.shape:
            return True
        moved = float(np.abs(small - previous).mean())
        cut = (
            moved > max(_MOVED, _OUTLIER * self._usual)
            and _histogram_distance(small, previous) > _RECOLOURED
            and _correlation(small, previous) < _ALIKE
        )
        self._usual = 0.0 if cut else 0.8 * self._usual + 0.2 * moved
        return cut


def _reduced(frame: np.ndarray) -> np.ndarray:
    """About 24 x 24 means of 4 x 4 pixels spread over the frame, [24, 24, 3] float32 in 0 to 1."""
    height, width = frame.shape[:2]
    step_y, step_x = height / (4 * _GRID), width / (4 * _GRID)
    rows = (np.arange(4 * _GRID) * step_y).astype(int)
    columns = (np.arange(4 * _GRID) * step_x).astype(int)
    spots = frame[rows][:, columns].astype(np.float32) / 255
    small: np.ndarray = spots.reshape(_GRID, 4, _GRID, 4, -1).mean(axis=(1, 3))
    return small


def _histogram_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the places whose brightness or colour falls into another bin, position ignored; 0 to 1."""
    distance = 0.0
    for channel in range(a.shape[-1]):
        one, two = (np.histogram(x[..., channel], _BINS, (0, 1))[0] for x in (a, b))
        distance = max(distance, float(np.abs(one - two).sum()) / (2 * _GRID * _GRID))
    return distance


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """How much the patterns of brightness are alike, -1 to 1; 0 where one is plain."""
    one, two = (x.mean(axis=-1) - x.mean() for x in (a, b))
    spread = float(np.sqrt((one**2).mean() * (two**2).mean()))
    return float((one * two).mean()) / spread if spread > 1e-4 else 0.0
