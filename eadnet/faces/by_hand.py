"""A whole face mesh from what somebody wrote: for pictures in which no finder sees the face."""

from __future__ import annotations

import re

from ..errors import InputError
from .detectors.manual import parse_face
from .landmarker import LandmarkedFace
from .mean_face import FIVE, NAMED, mesh_at

_NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
_POINT = re.compile(rf"([a-z][a-z _]*[a-z])[^a-z\d.+-]*({_NUMBER})[^a-z\d.+-]+({_NUMBER})", re.IGNORECASE)


def face_by_hand(text: str) -> LandmarkedFace:
    """A box (4 numbers), five points (10 numbers), or named points -> a face with all 478 points.

    Numbers are those of `detectors.manual.parse_face`. Named points are written like "right eye 210 300, left
    eye 310 302, nose tip 260 355, ..., chin 262 470", in any order; which there are says `mean_face.NAMED`.
    More points fit the mesh better: the chin first. Raises InputError.
    """
    if not re.search(r"[a-df-z]", text, re.IGNORECASE):  # an e may be an exponent's
        points = dict(zip(FIVE, parse_face(text).points, strict=True))
        return LandmarkedFace(mesh_at(points))
    found = {
        " ".join(name.lower().replace("_", " ").split()): (float(x), float(y))
        for name, x, y in _POINT.findall(text)
    }
    left = _POINT.sub("", text).strip(" ,;()\n")
    if re.search(r"\w", left):
        raise InputError(
            f"The face entered by hand cannot be read at '{left}': write each point as a name and "
            f"two numbers, for instance 'nose tip 260 355'. Names are {', '.join(NAMED)}."
        )
    return LandmarkedFace(mesh_at(found))
