"""MediaPipe's face landmarker, where the optional package is installed: 478 points, slower than YuNet."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...errors import CheckpointError, InputError
from ..dense import face_from_mesh
from ..face import Face, is_sound

FILE = "face_landmarker_v2_with_blendshapes.task"
SOURCE = "ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker (Models)"


class MediaPipe:
    """Finds up to ``most`` faces in a frame."""

    def __init__(self, model: str | os.PathLike[str], min_score: float = 0.5, most: int = 8) -> None:
        """Raises CheckpointError for a missing or foreign file, InputError where MediaPipe is missing."""
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise InputError(
                "This detector needs MediaPipe, which is not installed: run 'pip install mediapipe' in the "
                "Python that runs this, or choose yunet."
            ) from error
        path = Path(model)
        if not path.is_file():
            raise CheckpointError(
                f"The face detector's file {path.name} is missing: get it from {SOURCE}, and put it into "
                f"{path.parent}."
            )
        self._package = mediapipe
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
            num_faces=most,
            min_face_detection_confidence=min_score,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{path.name} is no face landmarker that MediaPipe can read: get it again from {SOURCE}."
            ) from error

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame uint8 [H, W, 3], the largest first."""
        faces = [face for face in map(face_from_mesh, self.meshes(frame)) if is_sound(face)]
        return sorted(faces, key=lambda face: -face.side)

    def meshes(self, frame: np.ndarray) -> list[np.ndarray]:
        """All points of each face, [478, 2] float32 in pixels."""
        picture = self._package.Image(
            image_format=self._package.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
        )
        size = np.array([frame.shape[1], frame.shape[0]], np.float32)
        return [
            np.array([[point.x, point.y] for point in mesh], np.float32) * size - 0.5
            for mesh in self._landmarker.detect(picture).face_landmarks
        ]
