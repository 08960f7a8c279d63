"""The detector on the face landmarker: what it makes of the meshes; on the real file, where it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import CheckpointError
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.detectors.landmarks import Landmarks
from eadnet.faces.landmarker import FILES, FaceLandmarker, LandmarkedFace
from tests.faces.detectors.test_yunet import drawn
from tests.faces.test_landmarker import TASK
from tests.landmarker_files import random_networks, write_task


def mesh(x: float, y: float, side: float) -> np.ndarray:
    """478 points spread over a square, [478, 3] in pixels."""
    return (np.random.default_rng(0).random((478, 3)) * side + [x, y, 0]).astype(np.float32)


@pytest.fixture
def detector(tmp_path: Path) -> Landmarks:
    return Landmarks(write_task(tmp_path / FILES[0], random_networks()))


def seen(monkeypatch: pytest.MonkeyPatch, *meshes: np.ndarray) -> None:
    faces = [LandmarkedFace(points, 0.9) for points in meshes]
    monkeypatch.setattr(FaceLandmarker, "detect", lambda self, frame: faces)


FRAME = np.zeros((200, 200, 3), np.uint8)


def test_a_mesh_becomes_a_face(detector: Landmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    points = mesh(60, 30, 40)
    seen(monkeypatch, points)
    (face,) = detector.detect(FRAME)
    expected = face_from_mesh(points[:, :2])
    np.testing.assert_allclose(face.points, expected.points)
    assert face.brows is not None and expected.brows is not None and face.score == 0.9
    np.testing.assert_allclose(face.brows, expected.brows)


def test_the_largest_face_comes_first(detector: Landmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, mesh(0, 0, 40), mesh(100, 100, 80), mesh(60, 0, 60))
    sides = [face.side for face in detector.detect(FRAME)]
    assert sides == sorted(sides, reverse=True) and len(sides) == 3


def test_faces_of_nothing_are_none(detector: Landmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(monkeypatch, mesh(100, 100, 0), np.full((478, 3), np.nan, np.float32))
    assert detector.detect(FRAME) == []


def test_turned_views_of_an_array_are_taken(detector: Landmarks) -> None:
    assert isinstance(detector.detect(np.rot90(np.zeros((20, 50, 3), np.uint8))), list)


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=f"{FILES[0]} is missing: run 'eadnet fetch faces'.*put it into"
    ):
        Landmarks(tmp_path / FILES[0])
    (tmp_path / FILES[0]).write_bytes(b"<html>not found</html>")
    with pytest.raises(CheckpointError, match="is a web page"):
        Landmarks(tmp_path / FILES[0])


@pytest.mark.slow
@pytest.mark.skipif(not TASK.is_file(), reason=f"no {TASK}: set EADNET_MODELS to its folder")
def test_the_real_one_sees_a_drawn_head_where_it_is() -> None:
    (face,) = Landmarks(TASK).detect(drawn())
    right, left, nose, mouth_right, mouth_left = face.points
    assert right[0] < nose[0] < left[0] and mouth_right[0] < nose[0] < mouth_left[0]
    assert right[1] < nose[1] < mouth_right[1]
    assert face.brows is not None and face.brows[0][1] < right[1] and face.brows[1][1] < left[1]
