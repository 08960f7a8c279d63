"""Existing videos with another expression: which frames change, cuts, lengths, and files continued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.driving.following import FollowedFace, followed_face
from eadnet.driving.re_emote import ReEmote, re_emote_to_file
from eadnet.errors import InputError
from eadnet.faces.landmarker import LandmarkedFace
from eadnet.media.lengths import Length
from eadnet.media.reader import PicturesInMemory
from eadnet.media.resumable_video import GROUP
from eadnet.media.video import read_video
from eadnet.rig.emotions import emotion_parameters
from eadnet.rig.track import Track
from tests.rig.drawn import drawn_head

SIDE = 128
SAD = emotion_parameters("sad", 1.0)


class Finder:
    """Stands in for the landmarker: the drawn head is where the frame's first pixel says, or nowhere."""

    def __init__(self) -> None:
        self.looked = 0

    def detect(self, frame: np.ndarray) -> list[LandmarkedFace]:
        self.looked += 1
        return self._faces(frame)

    def again(self, frame: np.ndarray, face: LandmarkedFace) -> LandmarkedFace | None:
        return next(iter(self._faces(frame)), None)

    def _faces(self, frame: np.ndarray) -> list[LandmarkedFace]:
        if frame[0, 0, 0] == 255:
            return []
        _, mesh = drawn_head(2, SIDE)
        points = mesh.numpy() + np.array([int(frame[0, 0, 0]), 0, 0], np.float32)
        return [LandmarkedFace(points, 1.0, {"jawOpen": float(frame[0, 0, 1]) / 255})]


def clip(*shifts: int | None, background: tuple[int, ...] = ()) -> PicturesInMemory:
    """Frames with the drawn head shifted to the right; of None it is not found."""
    picture = drawn_head(2, SIDE)[0].numpy()
    frames = []
    for number, shift in enumerate(shifts):
        frame = np.full((SIDE, SIDE + 44, 3), background[number] if background else 90, np.uint8)
        left = 5 if shift is None else shift
        frame[:, left : left + SIDE] = picture
        frame[0, 0] = (255 if shift is None else shift, 10, 0)
        frames.append(frame)
    return PicturesInMemory(np.stack(frames), 25)


@contextmanager
def film(pictures: PicturesInMemory, frames: int | None = None, **more: Any) -> Iterator[ReEmote]:
    track = Track.still(SAD, frames or pictures.count)
    with followed_face(pictures, Finder()) as face:  # type: ignore[arg-type]
        yield ReEmote(pictures, face, track, **more)


@pytest.mark.slow
def test_frames_without_a_face_pass_and_the_others_change() -> None:
    pictures = clip(*[5] * 4, None, *[5] * 4)
    with film(pictures) as made:
        frames = list(made.frames())
        notes = made.notes()
    same = [bool((frame == pictures.picture(n)).all()) for n, frame in enumerate(frames)]
    assert same[4] and not any(same[:3]) and not any(same[6:])
    assert notes == ["In 1 of 9 frames no face was found: they stay as they are."]


def test_what_is_added_comes_and_goes_beside_a_frame_without_a_face() -> None:
    pictures = clip(*[5] * 8, None, *[5] * 8)
    with followed_face(pictures, Finder()) as face:  # type: ignore[arg-type]
        shares = [face.share(n) for n in range(17)]
    assert shares[0] == shares[-1] == 1.0 and shares[8] == 0.0
    assert shares[:9] == sorted(shares[:9], reverse=True) and shares[8:] == sorted(shares[8:])
    assert 0 < shares[7] < 0.2


def test_jitter_is_taken_out_of_a_still_head_and_a_moving_one_is_not_late() -> None:
    shaking = clip(*[5 + n % 2 for n in range(20)])
    moving = clip(*range(20))
    with followed_face(shaking, Finder()) as face:  # type: ignore[arg-type]
        xs = [float(found.points[:, 0].mean()) for n in range(20) if (found := face.face(n))]
        own = [float(face.raw(n).points[:, 0].mean()) for n in range(20)]
    assert np.std(xs[4:-4]) < 0.3 * np.std(own[4:-4])
    with followed_face(moving, Finder()) as face:  # type: ignore[arg-type]
        late = [
            float((face.raw(n).points - found.points).mean()) for n in range(20) if (found := face.face(n))
        ]
    assert np.abs(late).max() < 0.05


def test_blocks_that_are_smoothed_apart_fit_together() -> None:
    rows = np.random.default_rng(0).normal(100, 1, (150, 478 * 3 + 52)).astype(np.float32)
    whole = FollowedFace(np.ones(150, bool), (0,), (0,), rows)
    moved = FollowedFace(np.ones(130, bool), (0,), (0,), rows[20:])
    for n in range(50, 110):
        a, b = whole.face(n), moved.face(n - 20)
        assert a is not None and b is not None and np.abs(a.points - b.points).max() < 0.01


def test_a_cut_starts_anew() -> None:
    """The shot's own calm frame is taken, and nothing is smoothed across."""
    pictures = clip(*[0] * 6, *[40] * 6, background=(20,) * 6 + (230,) * 6)
    pictures.frames[6:, :, :40] = 250  # another place
    pictures.frames[6:, 0, 0] = (40, 10, 0)
    pictures.frames[3, 0, 0, 1] = 0  # calmest of its shot
    pictures.frames[8, 0, 0, 1] = 0
    finder = Finder()
    with followed_face(pictures, finder) as face:  # type: ignore[arg-type]
        assert face.shots in ((0,), (0, 6))
        if face.shots == (0, 6):
            assert face.calm == (3, 8) and finder.looked == 2
            last = face.face(5)
            assert last is not None and np.allclose(last.points, face.raw(5).points, atol=0.01)


def test_nobody_anywhere_is_said() -> None:
    with pytest.raises(InputError, match="No face was found in the video"), film(clip(None, None)):
        pass


def test_a_face_that_is_not_there_is_said() -> None:
    with (
        pytest.raises(InputError, match="Face number 2 .* shows 1: use 0 to 0"),
        followed_face(clip(5, 5), Finder(), index=2),  # type: ignore[arg-type]
    ):
        pass


@pytest.mark.slow
def test_a_result_that_is_longer_than_the_video_goes_back_and_forth() -> None:
    pictures = clip(5, 6, 7)
    with film(pictures, 5, length=Length(5, 3, "bounce")) as made:
        frames = list(made.frames())
    assert len(frames) == 5
    assert np.array_equal(frames[1], frames[3]) and np.array_equal(frames[0], frames[4])


def test_an_expression_without_frames_is_said() -> None:
    pictures = clip(5)
    with followed_face(pictures, Finder()) as face, pytest.raises(InputError, match="no frames"):  # type: ignore[arg-type]
        ReEmote(pictures, face, Track.of({}))


class Stopped(Exception):
    pass


@pytest.mark.slow
def test_a_film_that_was_broken_off_is_continued_with_the_same_pixels(tmp_path: Path) -> None:
    pictures = clip(*(n % 40 for n in range(GROUP + 5)))

    def render(name: str, stop: int | None = None) -> int:
        def report(now: Any) -> None:
            if now.stage == "render" and now.done == stop:
                raise Stopped

        with film(pictures) as made:
            done = re_emote_to_file(tmp_path / name, made, ("clip",), resume=True, on_progress=report)
        return done.continued

    assert render("whole.mp4") == 0
    with pytest.raises(Stopped):
        render("resumed.mp4", stop=GROUP + 3)
    assert render("resumed.mp4") == GROUP
    whole, resumed = (read_video(tmp_path / f"{name}.mp4").frames for name in ("whole", "resumed"))
    assert np.array_equal(whole, resumed) and len(whole) == GROUP + 5


@pytest.mark.slow
def test_the_frame_of_a_number_is_the_same_whatever_was_asked_for_before() -> None:
    with film(clip(*range(4))) as made:
        frames = list(made.frames())
    with film(clip(*range(4))) as made:
        assert np.array_equal(next(made.frames(2)), frames[2])


def test_only_rates_differ(tmp_path: Path) -> None:
    """A track of another rate shows the same moments."""
    pictures = clip(*[5] * 6)
    rows = torch.stack([SAD * n / 2 for n in range(3)])
    with followed_face(pictures, Finder()) as face:  # type: ignore[arg-type]
        made = ReEmote(pictures, face, Track(rows, 12.5))
        assert len(made) == 6 and torch.allclose(made.track.values[5], rows[2])
