"""From frames to a track: what is lost, what is held, what is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eadnet.errors import InputError
from eadnet.faces.choice import Choice
from eadnet.faces.detectors.manual import ManualDetector, face_at_points, face_in_box
from eadnet.faces.face import Face, unturned
from eadnet.faces.face_track import FaceTrack
from eadnet.faces.framing import FRAMINGS, PORTRAIT_TEMPLATE
from eadnet.faces.tracking import FALLBACKS, detect_faces, track_face
from eadnet.media.images import read_image
from tests.quick import some

BOX = np.array([60, 40, 120, 110], np.float32)


class Script:
    """A detector that sees what it is told, frame by frame."""

    def __init__(self, frames: list[list[Face]]) -> None:
        self._frames = iter(frames)

    def detect(self, frame: np.ndarray) -> list[Face]:
        return next(self._frames)


def pictures(count: int, level: int = 90) -> Iterator[np.ndarray]:
    return (np.full((150, 200, 3), level, np.uint8) for _ in range(count))


def seen(gone: set[int], count: int, step: float = 1.0) -> list[list[Face]]:
    return [
        [] if t in gone else [face_in_box(BOX + np.array([step * t, 0] * 2, np.float32))]
        for t in range(count)
    ]


def followed(gone: set[int], count: int = 40, fallback: str = "interpolate", **settings: int) -> FaceTrack:
    detections = detect_faces(pictures(count), Script(seen(gone, count)))
    return track_face(detections, "portrait", 64, None, fallback, **settings)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_track_covers_every_frame(framing: str) -> None:
    track = track_face(detect_faces(pictures(7), ManualDetector(face_in_box(BOX))), framing, 64)
    assert len(track) == 7 and track.valid.all() and track.found.all() and track.missing() == []
    assert track.size == (150, 200) and track.framing == framing


def test_the_portrait_framing_puts_the_points_where_mini_has_them() -> None:
    track = track_face(detect_faces(pictures(1), ManualDetector(face_in_box(BOX))), "portrait", 100)
    placed = track.points[0] @ track.matrices[0, :, :2].T + track.matrices[0, :, 2]
    assert (placed - (torch.tensor(PORTRAIT_TEMPLATE) * 100 - 0.5)).norm(dim=-1).max() < 4


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_a_face_lost_for_a_moment(fallback: str) -> None:
    track = followed({15, 16, 17}, fallback=fallback)
    assert track.found.sum() == 37
    assert track.missing() == ([15, 16, 17] if fallback == "empty" else [])
    x = track.points[:, 2, 0]
    if fallback == "interpolate":
        assert x[16].item() == pytest.approx(float(x[14] + x[18]) / 2, abs=0.1)
    if fallback == "previous":
        assert x[14] == x[15] == x[17] < x[18]


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_a_face_lost_for_long_is_gone(fallback: str) -> None:
    assert followed(set(range(10, 30)), fallback=fallback).missing() == list(range(10, 30))
    assert followed(set(range(25, 40)), fallback=fallback).missing() == list(range(25, 40))


def test_patience_is_a_setting() -> None:
    assert followed(set(range(10, 30)), patience=20).missing() == []
    assert followed({10}, patience=0).missing() == [10]


def test_only_a_clip_without_any_face_is_an_error() -> None:
    assert followed(set(range(1, 40))).found.sum() == 1
    with pytest.raises(InputError, match="No face was found in any of the 40 frames"):
        followed(set(range(40)))


def test_a_face_by_hand_holds_whatever_the_frames_show() -> None:
    frames = [np.full((150, 200, 3), level, np.uint8) for level in (0, 60, 255, 255, 0, 120)]
    track = track_face(detect_faces(frames, ManualDetector(face_in_box(BOX))), "portrait", 64, patience=0)
    assert track.missing() == [] and track.found.all()


def test_a_cut_resets_smoothing_and_nothing_is_held_across_it() -> None:
    frames = [*pictures(20, 20), *pictures(20, 220)]
    faces = seen({18, 19, 20, 21}, 40, step=0.0)
    for t in range(20, 40):
        faces[t] = [face_in_box(BOX + 40) for _ in faces[t]]
    track = track_face(detect_faces(frames, Script(faces)), "portrait", 64)
    assert track.shots == (0, 20) and track.missing() == []
    x = track.points[:, 2, 0]
    assert torch.allclose(x[:20], x[0], atol=0.01) and torch.allclose(x[20:], x[39], atol=0.01)
    assert x[39] - x[0] == pytest.approx(40, abs=0.01)


def test_an_index_that_nobody_has_says_how_many_there_are() -> None:
    detections = detect_faces(pictures(5), ManualDetector(face_in_box(BOX)))
    with pytest.raises(
        InputError, match="1 face was found in the video, and the face index is 4: use 0 to 0"
    ):
        track_face(detections, "portrait", 64, Choice("index", "left-right", 4))


@pytest.mark.parametrize(
    "box",
    some(3, [[0, 0, 2, 2], [0, 0, 199, 149], [-40, 30, 30, 100], [180, 120, 260, 210], [0, 0, 5000, 5000]]),
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_faces_of_two_pixels_of_the_whole_frame_and_cut_by_its_border(box: list[int], framing: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    face = face_in_box(np.array(box, np.float32))
    track = track_face(detect_faces([frame], ManualDetector(face)), framing, 64)
    crop = track.crop(frame[None], [0])
    assert torch.isfinite(crop).all()
    assert track.paste(frame[None], crop, [0]).shape == (1, 150, 200, 3)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_video_on_its_side_gives_upright_crops(framing: str, turns: int) -> None:
    points = unturned(face_in_box(BOX).points, -turns, (200, 150) if turns % 2 else (150, 200))
    frame = np.rot90(np.full((150, 200, 3), 90, np.uint8), turns)
    placed = []
    for picture, face in (
        (next(pictures(1)), face_in_box(BOX)),
        (frame, face_at_points(points.astype(np.float32))),
    ):
        track = track_face(detect_faces([picture], ManualDetector(face)), framing, 64)
        placed.append(track.points[0] @ track.matrices[0, :, :2].T + track.matrices[0, :, 2])
    # LatentSync's correction shifts by a pixel or two, and which way depends on the turn.
    assert (placed[0] - placed[1]).norm(dim=-1).max() < (0.01 if framing == "portrait" else 3.0)
    assert placed[1][0, 0] < placed[1][1, 0] and placed[1][0, 1] < placed[1][3, 1], "upright"


def test_a_portrait_that_the_camera_turned_is_upright(tmp_path: Path) -> None:
    upright = np.zeros((150, 200, 3), np.uint8)
    upright[40:110, 60:120] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "a.png", exif=exif)
    frame = (read_image(tmp_path / "a.png") * 255).round().byte().numpy()
    assert np.array_equal(frame, upright)
    track = track_face(detect_faces([frame], ManualDetector(face_in_box(BOX))), "portrait", 64)
    assert track.size == (150, 200) and track.crop(frame[None], [0])[0, :, 32, 32].min() > 0.5


def test_frames_that_change_their_size_and_no_frames_are_refused() -> None:
    detector = ManualDetector(face_in_box(BOX))
    with pytest.raises(InputError, match="Frame 1 is 300 x 200 pixels"):
        detect_faces([np.zeros((500, 600, 3), np.uint8), np.zeros((200, 300, 3), np.uint8)], detector)
    with pytest.raises(InputError, match="no frames"):
        detect_faces([], detector)
