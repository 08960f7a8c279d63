from __future__ import annotations

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.detectors.manual import ManualDetector, face_at_points, face_in_box, parse_face
from eadnet.faces.face import unturned
from eadnet.faces.points import alignment_points


def test_four_numbers_are_a_box_and_ten_are_points() -> None:
    face = parse_face("10, 20, 110.5, 140")
    assert face.box.tolist() == [10, 20, 110.5, 140]
    assert face.points[0, 0] < face.points[1, 0], "the person's right eye is on the left of the picture"
    points = parse_face("[30 40] [70 40] [50 60] [35 80] [65 80]").points
    assert points.tolist() == [[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]]


def test_a_box_and_its_points_agree() -> None:
    face = face_in_box(np.array([0, 0, 100, 120], np.float32))
    again = face_at_points(face.points)
    assert np.abs(again.box - face.box).max() < 25


@pytest.mark.parametrize("text", ["", "1 2 3", "5 5 5 5", "9 9 1 1", "a box", "1 1 1 1 1 1 1 1 1 1"])
def test_what_is_no_face_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write 4 numbers"):
        parse_face(text)


@pytest.mark.parametrize("turns", range(4))
def test_points_of_a_turned_picture_lead_back(turns: int) -> None:
    picture = np.arange(5 * 7).reshape(5, 7)
    turned = np.rot90(picture, turns)
    for y, x in np.ndindex(*turned.shape):
        ((back_x, back_y),) = unturned(np.array([[x, y]]), turns, (5, 7))
        assert picture[back_y, back_x] == turned[y, x]


def test_the_estimated_brows_move_with_the_face() -> None:
    points = face_in_box(np.array([0, 0, 100, 120], np.float32)).points.astype(float)
    matrix = np.array([[1.2, -0.5], [0.4, 1.1]])
    np.testing.assert_allclose(
        alignment_points(points @ matrix.T + 7), alignment_points(points) @ matrix.T + 7
    )
    right, left, nose = alignment_points(points)
    assert right[0] < points[0, 0] and left[0] > points[1, 0] and right[1] < points[0, 1]
    assert nose[0] == pytest.approx(50, abs=1e-3)
    assert points[0, 1] < nose[1] < points[2, 1], "the middle of the nose is above its tip"


def test_a_mesh_gives_five_points_and_brows() -> None:
    mesh = np.random.default_rng(0).uniform(10, 50, (478, 2))
    face = face_from_mesh(mesh, 0.7)
    assert face.points.shape == (5, 2) and face.brows is not None and face.brows.shape == (3, 2)
    assert face.score == 0.7 and np.allclose(face.points[2], mesh[4])


@pytest.mark.parametrize(
    "text", ["200, 200, 300, 300", "-9, -9, -1, -1", "1e9, 0, 2e9, 5", "-50, -90, 50, -9"]
)
def test_a_face_outside_the_frames_is_refused(text: str) -> None:
    """As of numbers that were read off a larger copy: nothing would be generated, without a word."""
    with pytest.raises(InputError, match="outside the frames of 96 x 80 pixels"):
        ManualDetector(parse_face(text)).detect(np.zeros((80, 96, 3), np.uint8))


@pytest.mark.parametrize("text", ["-20, 10, 30, 60", "60, 50, 130, 130", "-50, -50, 150, 150"])
def test_a_face_at_the_border_is_one(text: str) -> None:
    assert len(ManualDetector(parse_face(text)).detect(np.zeros((80, 96, 3), np.uint8))) == 1
