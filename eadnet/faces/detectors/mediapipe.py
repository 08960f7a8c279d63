"""MediaPipe's face landmarker, where the optional package is installed: 478 points, slower than YuNet."""

from __future__ import annotations

import os

import numpy as np

from ..dense import face_from_mesh
from ..face import Face, is_sound
from ..landmarker import FILES, FaceLandmarker
from ._kind import DetectorKind


class MediaPipe:
    """Finds up to ``most`` faces in a frame."""

    def __init__(self, task: str | os.PathLike[str], min_score: float = 0.5, most: int = 8) -> None:
        """Raises CheckpointError for a missing or foreign file, InputError where MediaPipe is missing."""
        self._landmarker = FaceLandmarker(task, most, min_score, instead="choose yunet")

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame uint8 [H, W, 3], the largest first."""
        faces = [face_from_mesh(face.mesh) for face in self._landmarker.detect(frame)]
        return sorted(filter(is_sound, faces), key=lambda face: -face.side)


KIND = DetectorKind(
    name="mediapipe",
    order=2,
    summary="more landmarks, needs the mediapipe package and its file in models/eadnet/faces",
    make=MediaPipe,
    files=FILES,
)
