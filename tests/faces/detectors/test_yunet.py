"""The real detector. Its file is no part of the project: set EADNET_MODELS to a folder that holds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import CheckpointError, InputError
from eadnet.faces.choice import Choice
from eadnet.faces.detectors.yunet import FILE, YuNet, _Window
from eadnet.faces.face import Face
from eadnet.faces.tracking import detect_faces, track_face

MODEL = Path(os.environ.get("EADNET_MODELS", Path(__file__).parents[4] / "shared" / "models")) / FILE


def drawn(size: int = 256) -> np.ndarray:
    """A head of the synthetic world, uint8 [size, size, 3]."""
    from eadnet.synthetic.expression import neutral
    from eadnet.synthetic.identity import sample_identity
    from eadnet.synthetic.renderer import Renderer

    return Renderer(sample_identity(np.random.default_rng(3)), size).render(neutral()).image


@pytest.fixture
def detector() -> YuNet:
    pytest.importorskip("cv2")
    if not MODEL.is_file():
        pytest.skip(f"no {MODEL}: set EADNET_MODELS to the folder of {FILE}")
    return YuNet(MODEL)


@pytest.mark.slow
def test_a_head_is_found_with_its_points_in_their_order(detector: YuNet) -> None:
    (face,) = detector.detect(drawn())
    right, left, nose, mouth_right, mouth_left = face.points
    assert right[0] < nose[0] < left[0] and mouth_right[0] < nose[0] < mouth_left[0]
    assert right[1] < nose[1] < mouth_right[1]
    assert np.abs(right - [0.378 * 256, 0.446 * 256]).max() < 12


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 3])
def test_a_picture_on_its_side_is_found(detector: YuNet, turns: int) -> None:
    upright = detector.detect(drawn())[0]
    (face,) = detector.detect(np.ascontiguousarray(np.rot90(drawn(), turns)))
    angle = np.arctan2(*(face.points[1] - face.points[0])[::-1])
    assert abs(abs(np.rad2deg(angle)) - 90) < 15
    assert face.side == pytest.approx(upright.side, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [-35, 20])
def test_the_points_of_a_tilted_head_turn_with_it(detector: YuNet, degrees: float) -> None:
    cv2 = pytest.importorskip("cv2")
    matrix = cv2.getRotationMatrix2D((127.5, 127.5), -degrees, 1.0)
    tilted = cv2.warpAffine(drawn(), matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    (upright,), (face,) = detector.detect(drawn()), detector.detect(tilted)
    expected = upright.points @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(face.points - expected).max() < 0.04 * upright.side
    assert face.side == pytest.approx(upright.side, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(("side", "mirrored"), [(90.0, False), (90.0, True), (416.0, True), (1000.0, False)])
def test_a_window_shows_a_place_where_it_says(side: float, mirrored: bool) -> None:
    cv2 = pytest.importorskip("cv2")
    centre = np.array([760.0, 740.0])
    spots = centre + side * np.array([[-0.2, -0.1], [0.2, -0.1], [0.0, 0.05], [-0.15, 0.2], [0.15, 0.2]])
    window = _Window(centre, side, np.deg2rad(25), mirrored)
    y, x = np.mgrid[:1500, :1500]
    seen = []
    for spot in spots:
        lit = 255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (0.02 * side) ** 2)
        picture = window.of(cv2, np.repeat(lit[..., None], 3, axis=2).round().astype(np.uint8))[..., 0]
        picture = picture.astype(float)
        down, across = np.mgrid[: picture.shape[0], : picture.shape[1]]
        seen.append([(across * picture).sum() / picture.sum(), (down * picture).sum() / picture.sum()])
    points = np.array(seen, np.float32)
    points = points[[1, 0, 2, 4, 3]] if mirrored else points  # the person's right is the mirror image's left
    face = window.in_frame(Face(np.array([158, 158, 257, 257], np.float32), points))
    np.testing.assert_allclose(face.points, spots, atol=0.003 * side)
    np.testing.assert_allclose(face.centre, centre, atol=0.01 * side)
    assert face.side == pytest.approx(99 * side / 416, rel=0.01)


@pytest.mark.slow
def test_several_threads_see_the_same(detector: YuNet, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    many = {}
    for threads in (1, 3):
        monkeypatch.setattr(cv2, "getNumThreads", lambda threads=threads: threads)
        many[threads] = YuNet(MODEL).detect(drawn())[0]
    np.testing.assert_array_equal(many[1].points, many[3].points)
    np.testing.assert_array_equal(many[1].box, many[3].box)


def test_nothing_is_found_in_nothing(detector: YuNet) -> None:
    for shape in ((64, 64, 3), (1, 1, 3), (3, 900, 3)):
        assert detector.detect(np.full(shape, 127, np.uint8)) == []


@pytest.mark.slow
def test_twenty_heads_are_found(detector: YuNet) -> None:
    head = drawn(128)
    frame = np.concatenate([np.concatenate([head] * 5, axis=1)] * 4, axis=0)
    assert len(detector.detect(frame)) == 20


@pytest.mark.slow
def test_one_of_twenty_people_is_followed(detector: YuNet) -> None:
    head = drawn(128)
    frame = np.concatenate([np.concatenate([head] * 5, axis=1)] * 4, axis=0)
    detections = detect_faces([frame] * 3, detector)
    assert [len(track.frames) for track in detections.tracks] == [3] * 20
    track = track_face(detections, "portrait", 64, Choice("point", point=(2.5 * 128, 1.5 * 128)))
    assert (track.boxes[:, :2] > torch.tensor([2 * 128, 128])).all()
    assert (track.boxes[:, 2:] < torch.tensor([3 * 128, 2 * 128])).all()


@pytest.mark.slow
def test_a_face_that_fills_the_picture_is_found(detector: YuNet) -> None:
    (whole,) = detector.detect(drawn())
    x, y, last_x, last_y = whole.box.round().astype(int)
    (face,) = detector.detect(np.ascontiguousarray(drawn()[y:last_y, x:last_x]))
    assert np.abs(face.points + [x, y] - whole.points).max() < 0.15 * whole.side


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.2, 0.35])
def test_a_face_that_the_border_cuts_is_found_and_cropped(detector: YuNet, share: float) -> None:
    (whole,) = detector.detect(drawn())
    cut = int(whole.box[0] + share * whole.side)
    frame = np.ascontiguousarray(drawn()[:, cut:])
    track = track_face(detect_faces([frame], detector), "portrait", 64)
    assert np.abs(track.points[0].numpy() + [cut, 0] - whole.points).max() < 0.25 * whole.side
    crop = track.crop(frame[None], [0])
    assert not crop[..., 0].any(), "beyond the border is mid grey"
    assert torch.isfinite(track.paste(torch.from_numpy(frame)[None], crop, [0]).float()).all()


def test_a_head_of_two_pixels_is_none(detector: YuNet) -> None:
    frame = np.full((200, 300, 3), 127, np.uint8)
    frame[100:102, 150:152] = drawn(64)[31:33, 31:33]
    assert detector.detect(frame) == []


def test_a_missing_file_says_which_from_where_and_where_to(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(CheckpointError, match=f"{FILE} is missing: get it from github.com/opencv.* into"):
        YuNet(tmp_path / FILE)


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    (tmp_path / FILE).write_bytes(b"<html>not found</html>")
    with pytest.raises(CheckpointError, match="no YuNet"):
        YuNet(tmp_path / FILE)


def test_without_opencv_there_is_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="pip install opencv-python-headless.*or enter the face by hand"):
        YuNet(tmp_path / FILE)
