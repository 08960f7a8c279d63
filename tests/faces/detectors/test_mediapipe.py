"""The detector of MediaPipe: what is asked of it and made of its answer, with a stand-in; and the real one,
where the optional package and its file are there (set EADNET_MODELS).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import CheckpointError, InputError
from eadnet.faces.dense import face_from_mesh
from eadnet.faces.detectors.mediapipe import MediaPipe
from eadnet.faces.landmarker import FILES
from tests.faces.conftest import Answers, mesh
from tests.faces.detectors.test_yunet import drawn

FILE = FILES[0]
MODEL = Path(os.environ.get("EADNET_MODELS", Path(__file__).parents[4] / "shared" / "models")) / FILE


@pytest.fixture
def detector(answers: Answers, tmp_path: Path) -> MediaPipe:
    (tmp_path / FILE).write_bytes(b"a good file")
    return MediaPipe(tmp_path / FILE)


def test_points_become_pixels(detector: MediaPipe, answers: Answers) -> None:
    points = mesh(0.2, 0.3, 0.4)
    answers.points.append([points])
    (face,) = detector.detect(np.zeros((100, 300, 3), np.uint8))
    expected = face_from_mesh((points * [300, 100] - 0.5).astype(np.float32))
    np.testing.assert_allclose(face.points, expected.points, atol=1e-3)
    assert face.brows is not None and expected.brows is not None
    np.testing.assert_allclose(face.brows, expected.brows, atol=1e-3)


def test_the_largest_face_comes_first(detector: MediaPipe, answers: Answers) -> None:
    answers.points.append([mesh(0.0, 0.0, 0.2), mesh(0.5, 0.5, 0.4), mesh(0.3, 0.0, 0.3)])
    sides = [face.side for face in detector.detect(np.zeros((200, 200, 3), np.uint8))]
    assert sides == sorted(sides, reverse=True) and len(sides) == 3


def test_no_face_and_faces_of_nothing_give_none(detector: MediaPipe, answers: Answers) -> None:
    answers.points += [[], [mesh(0.5, 0.5, 0.0)], [np.full((478, 2), np.nan)]]
    assert [detector.detect(np.zeros((50, 50, 3), np.uint8)) for _ in range(3)] == [[], [], []]


def test_turned_views_of_an_array_are_taken(detector: MediaPipe, answers: Answers) -> None:
    answers.points.append([])
    assert detector.detect(np.rot90(np.zeros((20, 50, 3), np.uint8))) == []


def test_a_missing_or_foreign_file_is_named(answers: Answers, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"{FILE} is missing: get it from .* put it into"):
        MediaPipe(tmp_path / FILE)
    (tmp_path / FILE).write_bytes(b"<html>not found</html>")
    with pytest.raises(CheckpointError, match="no face landmarker that MediaPipe can read"):
        MediaPipe(tmp_path / FILE)


def test_without_the_package_there_is_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(InputError, match="pip install mediapipe.*or choose yunet"):
        MediaPipe(tmp_path / FILE)


def test_the_real_one_sees_a_drawn_head_where_it_is() -> None:
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed")
    if not MODEL.is_file():
        pytest.skip(f"no {MODEL}: set EADNET_MODELS to the folder of {FILE}")
    (face,) = MediaPipe(MODEL).detect(drawn())
    right, left, nose, mouth_right, mouth_left = face.points
    assert right[0] < nose[0] < left[0] and mouth_right[0] < nose[0] < mouth_left[0]
    assert right[1] < nose[1] < mouth_right[1]
    assert face.brows is not None and face.brows[0][1] < right[1] and face.brows[1][1] < left[1]
