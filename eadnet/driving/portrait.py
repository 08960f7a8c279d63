"""The face of a portrait, from whatever can tell where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..faces.bundled import bundled_face
from ..faces.found import found_faces
from ..faces.landmarker import FaceLandmarker, LandmarkedFace

MOST_FACES = 20
_SURE = 0.8  # score of the detector
Order = Literal["largest", "left-right"]
BY_HAND = (
    "say where it is by hand: a box (left, top, right, bottom) or x and y of right eye, left eye, nose tip "
    "and both corners of the mouth, in pixels (manual in the node, --face on the command line)"
)
_MISSING = (
    "No face landmarker is installed, which finds the face in a picture: run 'eadnet fetch faces', or put "
    "face_landmarker.task into {folder}. Without one, " + BY_HAND + "."
)


class NoPortraitFace(InputError):
    """There is no such face. ``picture``: uint8 [h, w, 3], what was found, with a scale of pixels."""

    def __init__(self, sentence: str, picture: np.ndarray) -> None:
        super().__init__(sentence)
        self.picture = picture


def find_portrait_face(
    picture: np.ndarray,
    landmarker: Path | None,
    folders: Sequence[Path] = (),
    index: int = 0,
    order: Order = "largest",
    given: Sequence[LandmarkedFace] | None = None,
) -> LandmarkedFace:
    """The ``index``-th face of a picture uint8 [H, W, 3] in an order, from 0, with its blend shapes.

    Args:
        landmarker: the file of the face landmarker; None where there is none, which is enough for the bundled
            portrait.
        folders: where it is looked for, for the message.
        given: the faces where somebody else has found them; None: they are looked for.

    Raises NoPortraitFace, one sentence and a picture, where there is no such face, and InputError where there
    is nothing that could find it.
    """
    if index < 0:
        raise InputError(f"Face number {index} was asked for: faces count from 0.")
    known = bundled_face(picture)
    if known is not None and index == 0 and given is None:
        return known
    found = list(given) if given is not None else _looked_for(picture, landmarker, folders)
    if order == "left-right":
        found.sort(key=_middle)
    else:
        found.sort(key=_area, reverse=True)
    if not found:
        where = "in the image" if given is None else "by the node at face_landmarks"
        raise NoPortraitFace(
            f"No face was found {where}: use a picture that shows a face from the front, at least about 60 "
            f"pixels wide, or {BY_HAND}.",
            found_faces(picture, []),
        )
    if index >= len(found):
        raise NoPortraitFace(
            f"Face number {index} was asked for, and the image has {len(found)}: use 0 to {len(found) - 1}.",
            found_faces(picture, [face.mesh for face in found]),
        )
    return found[index]


def _looked_for(
    picture: np.ndarray, landmarker: Path | None, folders: Sequence[Path]
) -> list[LandmarkedFace]:
    if landmarker is None:
        raise InputError(_MISSING.format(folder=folders[0] if folders else "models/eadnet/faces"))
    found = FaceLandmarker(landmarker, MOST_FACES, blendshapes=True, upright=True).detect(picture)
    if not found:  # small in a wide or tall picture; the search sees doodles, too, but is not sure of them
        found = FaceLandmarker(landmarker, MOST_FACES, _SURE, blendshapes=True, search=True).detect(picture)
    return found


def _middle(face: LandmarkedFace) -> float:
    return float(face.mesh[:, 0].mean())


def _area(face: LandmarkedFace) -> float:
    return float(np.prod(np.ptp(face.mesh, axis=0)))
