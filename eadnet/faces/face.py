"""What a face detector gives, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

# The five points of a face, in YuNet's order. Right and left are the *person's*: of an upright face that
# looks at the camera, the right eye is on the left of the picture.
POINTS = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame. Coordinates are pixels, (0, 0) at the centre of the first one.

    box: [4] float32, x and y of the first corner, x and y of the last; may reach beyond the frame.
    points: [5, 2] float32, in the order of `POINTS`.
    score: how sure the detector is, 0 to 1.
    brows: [3, 2] float32 where the detector sees more than five points: middle of the right brow, middle of
        the left brow, middle of the nose (what LatentSync aligns by); else None.
    look: [N] float32, what the face looks like (see `appearance.py`), to tell people apart; else None.
    """

    box: np.ndarray
    points: np.ndarray
    score: float = 1.0
    brows: np.ndarray | None = None
    look: np.ndarray | None = None

    @property
    def centre(self) -> np.ndarray:
        """[2]: x, y of the middle of the box."""
        middle: np.ndarray = (self.box[:2] + self.box[2:]) / 2
        return middle

    @property
    def side(self) -> float:
        """Side of the square as large as the box, in pixels."""
        return float(np.sqrt(max(0.0, float(np.prod(self.box[2:] - self.box[:2])))))


class FaceDetector(Protocol):
    """Finds faces. A detector may keep what it needs between frames, but does not track identities."""

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame uint8 [H, W, 3], RGB; best first; an empty list where there is none."""
        ...


def is_sound(face: Face) -> bool:
    """Whether numbers are finite and the points do not coincide, so that the face can be aligned."""
    values = np.concatenate([face.box, face.points.ravel()])
    return (
        bool(np.isfinite(values).all()) and face.side >= 2 and float(np.ptp(face.points, axis=0).max()) >= 0.5
    )


def unturned(points: np.ndarray, turns: int, size: tuple[int, int]) -> np.ndarray:
    """Points [N, 2] seen in ``np.rot90(frame, turns)`` -> in the frame of ``size`` (height, width)."""
    height, width = size
    x, y = points[:, 0], points[:, 1]
    turned = {
        0: (x, y),
        1: (width - 1 - y, x),
        2: (width - 1 - x, height - 1 - y),
        3: (y, height - 1 - x),
    }[turns % 4]
    return np.stack(turned, axis=1)
