"""MediaPipe's landmarker behind its wrapper, with a stand-in for the package."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from eadnet.errors import CheckpointError, InputError
from eadnet.faces.landmarker import FILES, FaceLandmarker, blendshapes
from tests.faces.conftest import Answers, mesh

FRAME = np.zeros((100, 300, 3), np.uint8)


@pytest.fixture
def task(answers: Answers, tmp_path: Path) -> Path:
    path = tmp_path / FILES[0]
    path.write_bytes(b"a good file")
    return path


def test_points_are_pixels_and_belong_to_their_blend_shapes(answers: Answers, task: Path) -> None:
    points = [mesh(0.2, 0.3, 0.4), mesh(0.0, 0.0, 0.1)]
    answers.points.append(points)
    answers.shapes.append([{"jawOpen": 0.5}, {"jawOpen": 0.1}])
    first, second = FaceLandmarker(task, most=2, blendshapes=True).detect(FRAME)
    np.testing.assert_allclose(first.mesh, points[0] * [300, 100] - 0.5, atol=1e-3)
    assert first.mesh.dtype == np.float32
    assert first.blendshapes == {"jawOpen": 0.5} and second.blendshapes == {"jawOpen": 0.1}


def test_no_blend_shapes_are_computed_that_nobody_asked_for(answers: Answers, task: Path) -> None:
    answers.points.append([mesh(0.2, 0.3, 0.4)])
    (face,) = FaceLandmarker(task, most=3, min_score=0.7).detect(FRAME)
    assert face.blendshapes == {} and answers.options is not None
    assert not answers.options.output_face_blendshapes
    assert (answers.options.num_faces, answers.options.min_face_detection_confidence) == (3, 0.7)


def test_frames_without_a_face_have_no_blend_shapes_and_the_landmarker_is_closed(
    answers: Answers, task: Path
) -> None:
    answers.points += [[], [mesh(0.2, 0.3, 0.4)]]
    answers.shapes += [[], [{"jawOpen": 0.5}]]
    assert blendshapes([FRAME, FRAME], task) == [None, {"jawOpen": 0.5}]
    assert answers.closed


def test_a_missing_or_foreign_file_is_named(answers: Answers, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="gone.task is missing: get it from .* put it into"):
        blendshapes([FRAME], tmp_path / "gone.task")
    (tmp_path / "a.task").write_bytes(b"PK nonsense")
    with pytest.raises(CheckpointError, match="a.task is no face landmarker that MediaPipe can read"):
        blendshapes([FRAME], tmp_path / "a.task")


def test_without_the_package_it_is_said_how_to_get_it_and_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(InputError, match="pip install mediapipe.*or draw it by hand"):
        FaceLandmarker(tmp_path / FILES[0], instead="draw it by hand")
    with pytest.raises(InputError, match="pip install mediapipe.*ComfyUI's own face landmarks"):
        blendshapes([FRAME], tmp_path / FILES[0])
