"""A track from a video: what happens where its face is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.driving.video import track_of_faces
from eadnet.errors import InputError
from eadnet.faces.bundled import bundled_face
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.media.images import read_image
from experiments.paths import ASSETS


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    picture = (np.asarray(read_image(ASSETS / "portrait.png")) * 255).round().astype(np.uint8)
    face = bundled_face(picture)
    assert face is not None
    return face.points


def seen(points: np.ndarray, jaw: float, roll: float = 0.0) -> LandmarkedFace:
    """The bundled face, turned in the picture by so many degrees."""
    angle = np.deg2rad(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return LandmarkedFace((points @ turn.T).astype(np.float32), 1.0, {"jawOpen": jaw})


def test_where_the_face_is_lost_it_goes_on_from_before_to_after(points: np.ndarray) -> None:
    faces = [seen(points, 0.0), seen(points, 0.0), None, None, None, seen(points, 0.8, 2.0)]
    track = track_of_faces(faces, 25.0)
    assert len(track) == 6 and track.values.isfinite().all()
    jaw, roll = track["jaw_open"], track["head_roll"]
    assert (jaw.diff() >= -1e-6).all() and 0 < jaw[3] < jaw[5]
    assert (roll.diff().abs() <= 2.0).all() and abs(float(roll[5] - roll[0])) > 1


def test_lost_at_both_ends_it_stays_as_it_is_seen_next(points: np.ndarray) -> None:
    track = track_of_faces([None, seen(points, 0.5), None], 25.0)
    assert torch.allclose(track.values[0], track.values[1]) and torch.allclose(
        track.values[2], track.values[1]
    )


def test_a_video_without_any_face_is_one_sentence() -> None:
    with pytest.raises(InputError, match="No face was found in the video"):
        track_of_faces([None, None], 25.0)
