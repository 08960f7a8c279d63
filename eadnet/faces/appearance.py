"""A few colours of a face, to tell people apart when they cross or come back."""

from __future__ import annotations

import numpy as np

from .face import Face

# Root mean square differences below this are light and expression, not another person.
SAME_LOOK = 0.10

_SIDE = 8
# Where the grid's corners lie: shares of the distance from the eyes' middle to the mouth's, to each side of
# the eyes' middle and from above the brows to the chin.
_ACROSS, _ABOVE, _BELOW = 1.1, 0.9, 1.6


def look_of(frame: np.ndarray, face: Face) -> np.ndarray:
    """Colours at 8 x 8 places of the upright face in a frame uint8 [H, W, 3] -> [192] float32 in 0 to 1."""
    eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
    down = mouth - eyes
    across = np.array([down[1], -down[0]])
    u, v = np.meshgrid(np.linspace(-_ACROSS, _ACROSS, _SIDE), np.linspace(-_ABOVE, _BELOW, _SIDE))
    at = eyes + u[..., None] * across + v[..., None] * down
    # The mean of five pixels stands for each place, so that a small shift does not matter.
    reach = float(np.linalg.norm(down)) * 0.08
    offsets = reach * np.array([[0, 0], [1, 1], [1, -1], [-1, 1], [-1, -1]])
    spots = np.rint(at[..., None, :] + offsets).astype(int)
    height, width = frame.shape[:2]
    colours = frame[spots[..., 1].clip(0, height - 1), spots[..., 0].clip(0, width - 1)]
    look: np.ndarray = (colours.mean(axis=2, dtype=np.float32) / 255).ravel()
    return look


def unlike(a: np.ndarray | None, b: np.ndarray | None) -> float | None:
    """How different two looks are: root mean square difference of colour; None where one is not known."""
    return None if a is None or b is None else float(np.sqrt(np.mean((a - b) ** 2)))
