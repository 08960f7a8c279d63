"""ComfyUI's own FACE_LANDMARKS, read as plain data: faces that another node has found already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..modules.face_mesh import POINTS
from .dense import MESH, face_from_mesh
from .face import Face, is_sound
from .landmarker import LandmarkedFace
from .mean_face import whole_mesh

_FOREIGN = "The face landmarks contain no frames: connect the output of a face landmarker node."


def faces_of_frames(landmarks: Any) -> Sequence[Sequence[Mapping[str, Any]]]:
    """The faces of every frame; InputError for what is no FACE_LANDMARKS."""
    frames = landmarks.get("frames") if isinstance(landmarks, Mapping) else None
    if not isinstance(frames, (list, tuple)):
        raise InputError(_FOREIGN)
    for faces in frames:
        if not isinstance(faces, (list, tuple)) or not all(isinstance(face, Mapping) for face in faces):
            raise InputError(_FOREIGN)
    return frames


def _size(given: Any) -> tuple[int, int]:
    """Height and width of the frames."""
    try:
        height, width = given
        return int(height), int(width)
    except (TypeError, ValueError, OverflowError):
        raise InputError(_FOREIGN) from None


class GivenLandmarks:
    """Gives out the faces of one frame after the other, in the order of the clip."""

    def __init__(self, landmarks: Mapping[str, Any], size: tuple[int, int], count: int) -> None:
        """``size`` (height, width) and ``count`` are those of the frames the faces must belong to.

        Raises InputError when they do not, or when this is no FACE_LANDMARKS.
        """
        frames, given = faces_of_frames(landmarks), _size(landmarks.get("image_size"))
        if len(frames) != count or given != size:
            raise InputError(
                f"The face landmarks belong to {len(frames)} frames of {given[1]} x {given[0]} pixels, and "
                f"the images are {count} of {size[1]} x {size[0]}: connect the same frames to both nodes."
            )
        self._frames = frames
        self._faces = [[face for face in map(_face, frame) if face is not None] for frame in frames]
        self._next = 0

    @property
    def meshes(self) -> list[list[LandmarkedFace]]:
        """The faces of each frame with all 478 points, and with the blend shapes that the node gave.

        Depth that it did not give is the mean face's.
        """
        return [[face for face in map(_landmarked, frame) if face is not None] for frame in self._frames]

    def detect(self, frame: np.ndarray) -> list[Face]:
        """The faces of the next frame."""
        faces = self._faces[self._next]
        self._next += 1
        return faces


def _face(entry: Mapping[str, Any]) -> Face | None:
    """One entry of a frame; None where it has no usable mesh."""
    points = _points(entry)
    if points is None:
        return None
    face = face_from_mesh(points[:, :2], _score(entry))
    return face if is_sound(face) else None


def _landmarked(entry: Mapping[str, Any]) -> LandmarkedFace | None:
    points = _points(entry)
    if points is None or not is_sound(face_from_mesh(points[:, :2])):
        return None
    weights = blend_shapes(entry)
    count = POINTS if len(points) >= POINTS else MESH
    return LandmarkedFace(whole_mesh(points[:count, :3]), _score(entry), weights)


def blend_shapes(entry: Mapping[str, Any]) -> dict[str, float]:
    """Name -> how much of it the face shows; empty where it has none. InputError for what is no number."""
    given = entry.get("blendshapes")
    if not given:
        return {}
    try:
        shapes = {str(name): float(value) for name, value in given.items()}
    except (AttributeError, TypeError, ValueError, OverflowError):
        shapes = {}
    if not shapes or not all(map(math.isfinite, shapes.values())):
        raise InputError(
            "The face landmarks contain blend shapes that are no numbers: connect ComfyUI's own node."
        )
    return shapes


def _points(entry: Mapping[str, Any]) -> np.ndarray | None:
    """The mesh of an entry [468 or more, 2 or more]; None where it has none that can be used."""
    try:
        points = np.asarray(entry.get("landmarks_xy"), dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    if points.ndim != 2 or len(points) < MESH or points.shape[1] < 2 or not np.isfinite(points[:, :3]).all():
        return None
    return points


def _score(entry: Mapping[str, Any]) -> float:
    """How sure the landmarker was; 1 where it does not say."""
    score = entry.get("score", entry.get("presence"))
    try:
        return 1.0 if score is None else float(score)
    except (TypeError, ValueError, OverflowError):
        return 1.0
