"""MediaPipe's face landmarker: 478 points of every face in a picture, and its 52 blend shapes.

The package is optional. Here is the only place that imports it, and it does so when a landmarker is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, InputError

FILES = ("face_landmarker_v2_with_blendshapes.task", "face_landmarker*.task")  # the usual name, then others
SOURCE = "ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker (Models)"


@dataclass(frozen=True, eq=False)
class LandmarkedFace:
    """One face in one frame.

    mesh: [478, 2] float32 in pixels, (0, 0) at the centre of the first one.
    blendshapes: ARKit's 52 by name, 0..1; empty where they were not requested.
    """

    mesh: np.ndarray
    blendshapes: dict[str, float] = field(default_factory=dict)


class FaceLandmarker:
    """Finds up to ``most`` faces in a frame. Close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        task: str | os.PathLike[str],
        most: int = 1,
        min_score: float = 0.5,
        blendshapes: bool = False,
        instead: str = "choose another way to find the face",
    ) -> None:
        """``instead``: what to do without MediaPipe, for the message.

        Raises CheckpointError for a missing or foreign file, InputError where MediaPipe is not installed.
        """
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise InputError(
                "Finding the face needs MediaPipe, which is not installed: run 'pip install mediapipe' in "
                f"the Python that runs this, or {instead}."
            ) from error
        path = Path(task)
        if not path.is_file():
            raise CheckpointError(
                f"The face landmarker's file {path.name} is missing: get it from {SOURCE}, and put it into "
                f"{path.parent}."
            )
        self._package = mediapipe
        options = vision.FaceLandmarkerOptions(
            # As bytes: MediaPipe takes relative paths and some Windows paths for its own folder's.
            base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
            num_faces=most,
            min_face_detection_confidence=min_score,
            output_face_blendshapes=blendshapes,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{path.name} is no face landmarker that MediaPipe can read: get it again from {SOURCE}."
            ) from error

    def detect(self, frame: np.ndarray) -> list[LandmarkedFace]:
        """The faces of a frame uint8 [H, W, 3], RGB; best first; an empty list where there is none."""
        picture = self._package.Image(
            image_format=self._package.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
        )
        seen = self._landmarker.detect(picture)
        size = np.array([frame.shape[1], frame.shape[0]], np.float32)
        meshes = [
            np.array([[point.x, point.y] for point in mesh], np.float32) * size - 0.5
            for mesh in seen.face_landmarks
        ]
        shapes = [{s.category_name: float(s.score) for s in face} for face in seen.face_blendshapes or ()]
        return [
            LandmarkedFace(mesh, shapes[place] if place < len(shapes) else {})
            for place, mesh in enumerate(meshes)
        ]

    def __enter__(self) -> FaceLandmarker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._landmarker.close()


def blendshapes(frames: Iterable[np.ndarray], task: str | os.PathLike[str]) -> list[dict[str, float] | None]:
    """ARKit's 52 blend shapes 0..1 of the best face in every frame uint8 [H, W, 3]; None without a face.

    Raises InputError without the package, CheckpointError without a usable task file.
    """
    instead = "measure ComfyUI's own face landmarks, or choose another backend"
    with FaceLandmarker(task, blendshapes=True, instead=instead) as landmarker:
        found = (landmarker.detect(frame) for frame in frames)
        return [faces[0].blendshapes if faces and faces[0].blendshapes else None for faces in found]
