"""ComfyUI's own FACE_LANDMARKS, read as plain data: faces that another node has found already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError
from ..modules.face_mesh import POINTS
from .dense import MESH, face_from_mesh
from .face import Face, is_sound
from .landmarker import LandmarkedFace
from .mean_face import whole_mesh


class GivenLandmarks:
    """Gives out the faces of one frame after the other, in the order of the clip."""

    def __init__(self, landmarks: Mapping[str, Any], size: tuple[int, int], count: int) -> None:
        """``size`` (height, width) and ``count`` are those of the frames the faces must belong to.

        Raises InputError when they do not, or when this is no FACE_LANDMARKS.
        """
        frames, given = landmarks.get("frames"), landmarks.get("image_size")
        if not isinstance(frames, (list, tuple)) or given is None:
            raise InputError(
                "The face landmarks contain no frames: connect the output of a face landmarker node."
            )
        if len(frames) != count or (int(given[0]), int(given[1])) != size:
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
    shapes = entry.get("blendshapes")
    weights = {str(name): float(value) for name, value in shapes.items()} if shapes else {}
    count = POINTS if len(points) >= POINTS else MESH
    return LandmarkedFace(whole_mesh(points[:count, :3]), _score(entry), weights)


def _points(entry: Mapping[str, Any]) -> np.ndarray | None:
    """The mesh of an entry [468 or more, 2 or more]; None where it has none that can be used."""
    mesh = entry.get("landmarks_xy")
    points = None if mesh is None else np.asarray(mesh, dtype=np.float32)
    if points is None or points.ndim != 2 or len(points) < MESH or not np.isfinite(points[:, :3]).all():
        return None
    return points


def _score(entry: Mapping[str, Any]) -> float:
    score = entry.get("score", entry.get("presence"))
    return 1.0 if score is None else float(score)
