"""The face of a portrait, from whatever can tell where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..faces.bundled import bundled_face
from ..faces.landmarker import FaceLandmarker, LandmarkedFace

MOST_FACES = 20
_MISSING = (
    "No face landmarker is installed, which finds the face in a picture: run 'eadnet fetch faces', or put "
    "face_landmarker.task into {folder}."
)


def find_portrait_face(
    picture: np.ndarray, landmarker: Path | None, folders: Sequence[Path] = (), index: int = 0
) -> LandmarkedFace:
    """The ``index``-th largest face of a picture uint8 [H, W, 3], with its blend shapes.

    Args:
        landmarker: the file of the face landmarker; None where there is none, which is enough for the bundled
            portrait.
        folders: where it is looked for, for the message.

    Raises InputError, one sentence, where there is no such face or nothing that could find it.
    """
    known = bundled_face(picture)
    if known is not None and index == 0:
        return known
    if landmarker is None:
        raise InputError(_MISSING.format(folder=folders[0] if folders else "models/eadnet/faces"))
    found = FaceLandmarker(landmarker, MOST_FACES, blendshapes=True).detect(picture)
    if not found:
        raise InputError(
            "No face was found in the image: use a picture that shows a face from the front, at least about "
            "60 pixels wide."
        )
    if index >= len(found):
        raise InputError(
            f"Face number {index} was asked for, and the image has {len(found)}: use 0 to {len(found) - 1}."
        )
    return sorted(found, key=_area, reverse=True)[index]


def _area(face: LandmarkedFace) -> float:
    return float(np.prod(np.ptp(face.mesh, axis=0)))
