"""A track from a video: one person's performance, read by the face landmarks, for another one's portrait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from ..errors import InputError
from ..faces.landmarker import FaceLandmarker, LandmarkedFace
from ..rig.canonical import canonical_face
from ..rig.expression import INDEX, RANGES
from ..rig.track import Track

_DEGREES_PER_UNIT = 6.5  # of head_yaw and head_pitch (see `eadnet.rig.units.head`)


def track_from_video(
    frames: Iterable[np.ndarray], fps: float, landmarker: FaceLandmarker, head: float = 1.0
) -> Track:
    """What the face in a video does, frame by frame.

    Args:
        frames: uint8 [H, W, 3], in order.
        landmarker: with blend shapes.
        head: how far the head's turns are taken over; they count from the clip's middle position.

    Raises InputError where no frame shows a face.
    """
    return track_of_faces(list(landmarker.follow(frames)), fps, head)


def track_of_faces(faces: Sequence[LandmarkedFace | None], fps: float, head: float = 1.0) -> Track:
    """The same from what the landmarker saw in every frame; None where it saw no face.

    Raises InputError where that is nowhere.
    """
    if not any(face is not None for face in faces):
        raise InputError("No face was found in the video: use one that shows a face clearly.")
    track = Track.from_arkit([None if face is None else face.blendshapes for face in faces], fps)
    turns = torch.from_numpy(_turns(faces)).float()
    turns = head * (turns - turns.median(0).values)
    values = track.values.clone()
    for column, name in enumerate(("head_yaw", "head_pitch", "head_roll")):
        unit = 1.0 if name == "head_roll" else _DEGREES_PER_UNIT
        low, high = RANGES[INDEX[name]]
        values[:, INDEX[name]] = (turns[:, column] / unit).clamp(float(low), float(high))
    return Track(values, track.fps)


def _turns(faces: Sequence[LandmarkedFace | None]) -> np.ndarray:
    """Yaw, pitch and roll in degrees [T, 3]; where no face was found, between the neighbours'."""
    known = np.array([i for i, face in enumerate(faces) if face is not None])
    turned = [canonical_face(torch.from_numpy(face.points)) for face in faces if face is not None]
    angles = np.array([(face.yaw, face.pitch, face.roll) for face in turned])
    everywhere = np.arange(len(faces))
    return np.stack([np.interp(everywhere, known, column) for column in angles.T], axis=1)
