"""The face of a portrait, from whatever can tell where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..faces.bundled import bundled_face
from ..faces.landmarker import FaceLandmarker, LandmarkedFace

MOST_FACES = 20
_SURE = 0.8  # score of the detector
Order = Literal["largest", "left-right"]
_MISSING = (
    "No face landmarker is installed, which finds the face in a picture: run 'eadnet fetch faces', or put "
    "face_landmarker.task into {folder}."
)


def find_portrait_face(
    picture: np.ndarray,
    landmarker: Path | None,
    folders: Sequence[Path] = (),
    index: int = 0,
    order: Order = "largest",
) -> LandmarkedFace:
    """The ``index``-th face of a picture uint8 [H, W, 3] in an order, from 0, with its blend shapes.

    Args:
        landmarker: the file of the face landmarker; None where there is none, which is enough for the bundled
            portrait.
        folders: where it is looked for, for the message.

    Raises InputError, one sentence, where there is no such face or nothing that could find it.
    """
    if index < 0:
        raise InputError(f"Face number {index} was asked for: faces count from 0.")
    known = bundled_face(picture)
    if known is not None and index == 0:
        return known
    if landmarker is None:
        raise InputError(_MISSING.format(folder=folders[0] if folders else "models/eadnet/faces"))
    found = FaceLandmarker(landmarker, MOST_FACES, blendshapes=True).detect(picture)
    if not found:  # small in a wide or tall picture; the search sees doodles, too, but is not sure of them
        found = FaceLandmarker(landmarker, MOST_FACES, _SURE, blendshapes=True, search=True).detect(picture)
    if not found:
        raise InputError(
            "No face was found in the image: use a picture that shows a face from the front, at least about "
            "60 pixels wide, or say where the face is (on the command line: --face)."
        )
    if index >= len(found):
        raise InputError(
            f"Face number {index} was asked for, and the image has {len(found)}: use 0 to {len(found) - 1}."
        )
    if order == "left-right":
        return sorted(found, key=_middle)[index]
    return sorted(found, key=_area, reverse=True)[index]


def _middle(face: LandmarkedFace) -> float:
    return float(face.mesh[:, 0].mean())


def _area(face: LandmarkedFace) -> float:
    return float(np.prod(np.ptp(face.mesh, axis=0)))
