"""Faces that somebody wrote down, and faces of ComfyUI's own landmarks: whole meshes with depth."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.faces.by_hand import face_by_hand
from eadnet.faces.comfy_landmarks import GivenLandmarks
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.mean_face import NAMED
from tests.faces.test_mean_face import turned

FIVE = "210 300 310 302 260 355 225 400 297 401"
NAMES = (
    "right eye 210 300, left eye: 310 302; nose_tip (260, 355)\nRight Mouth Corner 225,400 "
    "left mouth corner 297 401"
)


def test_five_points_and_a_box_become_a_whole_mesh() -> None:
    face = face_by_hand(FIVE)
    assert face.points.shape == (478, 3) and face.score == 1.0 and not face.blendshapes
    numbers = np.array(FIVE.split(), float).reshape(5, 2)
    np.testing.assert_allclose(face_from_mesh(face.mesh).points, numbers, atol=0.1)
    box = face_by_hand("100, 100, 300, 340").points
    assert (box[:, :2].min(axis=0) > [60, 20]).all() and (box[:, :2].max(axis=0) < [340, 420]).all()


def test_named_points_may_be_more_and_in_any_order() -> None:
    np.testing.assert_allclose(face_by_hand(NAMES).points, face_by_hand(FIVE).points, atol=1e-3)
    longer = face_by_hand("chin 262 490 " + NAMES)
    np.testing.assert_allclose(longer.mesh[152], [262, 490], atol=0.1)
    assert face_by_hand(FIVE).mesh[152, 1] < 480


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3", "write 4 numbers"),
        ("", "write 4 numbers"),
        (NAMES + " ear 3 4", "'ear' is none of them"),
        (NAMES.replace("nose_tip", "chin"), "'nose tip' is missing"),
        (NAMES + " chin 12", "cannot be read at 'chin 12'"),
        ("right eye left eye", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        face_by_hand(text)


def test_given_landmarks_become_whole_meshes() -> None:
    mesh = turned(10, 5, 0).astype(np.float32)
    entries = [
        {"landmarks_xy": mesh[:, :2], "score": 0.9, "blendshapes": {"jawOpen": 0.5}},
        {"landmarks_xy": mesh[:468, :2]},
        {"landmarks_xy": mesh},
        {"landmarks_xy": mesh[:400, :2]},
        {"landmarks_xy": mesh * np.nan},
        {},
    ]
    given = GivenLandmarks({"frames": [entries, []], "image_size": (400, 600)}, (400, 600), 2)
    faces, nothing = given.meshes
    assert nothing == [] and len(faces) == 3
    for face in faces:
        assert face.points.shape == (478, 3)
        np.testing.assert_allclose(face.mesh, mesh[:, :2], atol=1.5)
        nose = list(NAMED["nose tip"])
        assert face.points[nose, 2] < face.points[[234, 454], 2].min()
    assert faces[0].blendshapes == {"jawOpen": 0.5} and faces[0].score == 0.9
    np.testing.assert_allclose(faces[2].points, mesh, atol=1e-3)
