"""A face given by hand, for images in which no detector finds one: cartoons, statues, drawings."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ...errors import InputError
from ..face import Face
from ._kind import DetectorKind

# Where the five points of an average upright face lie in a box from brows to chin and ear to ear, as shares
# of its width and height; the middle of what YuNet gives for frontal faces.
_IN_BOX = np.array([[0.29, 0.38], [0.71, 0.38], [0.50, 0.58], [0.33, 0.76], [0.67, 0.76]], np.float32)
# The box around five points: so much wider and taller than they are spread.
_AROUND = (1.0 / 0.42, 1.0 / 0.38)


def face_in_box(box: np.ndarray) -> Face:
    """A face whose points lie where an average upright face has them in the box [4]."""
    return Face(box, box[:2] + _IN_BOX * (box[2:] - box[:2]))


def box_around(points: np.ndarray) -> np.ndarray:
    """The box [4] in which `face_in_box` puts five upright points [5, 2]."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    size = np.array([points[1, 0] - points[0, 0], mouth[1] - eyes[1]]) / (_IN_BOX[1, 0] - _IN_BOX[0, 0], 0.38)
    first = np.array([eyes[0] - size[0] / 2, eyes[1] - size[1] * _IN_BOX[0, 1]])
    return np.concatenate([first, first + size])


def face_at_points(points: np.ndarray) -> Face:
    """A face with these five points [5, 2] and a box around them."""
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    spread = max(float(np.linalg.norm(points[1] - points[0])), float(np.linalg.norm(mouth - eyes)))
    half = np.array(_AROUND, np.float32) * spread / 2
    middle = (eyes + mouth) / 2
    return Face(np.concatenate([middle - half, middle + half]), points)


def parse_face(text: str) -> Face:
    """Four numbers (left, top, right, bottom) or ten (x and y of the five points) -> a face.

    The points are right eye, left eye, nose tip, right and left mouth corner, right and left being the
    person's. Any punctuation may stand between the numbers. Raises InputError for anything else.
    """
    numbers = re.findall(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", text)
    values = np.array([float(number) for number in numbers], np.float32)
    if len(values) == 4 and values[2] - values[0] >= 2 and values[3] - values[1] >= 2:
        return face_in_box(values)
    if len(values) == 10 and float(np.ptp(values.reshape(5, 2), axis=0).max()) >= 2:
        return face_at_points(values.reshape(5, 2))
    raise InputError(
        f"The face entered by hand is '{text.strip()}': write 4 numbers (left, top, right, bottom of a box "
        "from brows to chin) or 10 (x, y of right eye, left eye, nose tip, right and left mouth corner), in "
        "pixels."
    )


class ManualDetector:
    """Gives the same face in every frame."""

    def __init__(self, face: Face) -> None:
        # Whatever the frames show there, it is the same person.
        self._face = replace(face, look=np.zeros(1, np.float32))

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The face, whatever the frame shows. Raises InputError where nothing of it lies in the frame."""
        size = np.array([frame.shape[1], frame.shape[0]])
        if (self._face.box[2:] <= 0).any() or (self._face.box[:2] >= size).any():
            raise InputError(
                f"The face entered by hand lies outside the frames of {size[0]} x {size[1]} pixels: enter it "
                "in pixels of these frames."
            )
        return [self._face]


KIND = DetectorKind(
    name="manual",
    order=3,
    summary="the face entered below",
    make=lambda text: ManualDetector(parse_face(text)),
)
