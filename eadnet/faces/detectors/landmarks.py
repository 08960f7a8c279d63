"""The face landmarker: 478 points, by networks of our own that need no package."""

from __future__ import annotations

import os

import numpy as np

from ..dense import face_from_mesh
from ..face import Face, is_sound
from ..landmarker import FILES, FaceLandmarker
from ._kind import DetectorKind


class Landmarks:
    """Finds up to ``most`` faces in a frame."""

    def __init__(self, file: str | os.PathLike[str], min_score: float = 0.5, most: int = 8) -> None:
        """Raises CheckpointError for a missing, damaged or foreign file."""
        self._landmarker = FaceLandmarker(file, most, min_score, search=True)

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame uint8 [H, W, 3], the largest first."""
        faces = [face_from_mesh(face.mesh, face.score) for face in self._landmarker.detect(frame)]
        return sorted(filter(is_sound, faces), key=lambda face: -face.side)


KIND = DetectorKind(
    name="landmarks",
    order=2,
    summary="478 landmarks, needs face_landmarker.task in models/eadnet/faces and no package",
    make=Landmarks,
    files=FILES,
    former=("mediapipe",),
)
