"""Expressions on the frames of a video, on a drawn person whose mesh is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.rig.emotions import emotion_parameters
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.video_rig import VideoRig
from tests.rig.drawn import drawn_head, turned

BROWS, LIPS = (105, 334), (13, 14, 61, 291)
HAPPY, SAD = emotion_parameters("happy", 1.0), emotion_parameters("sad", 1.0)
NOTHING = torch.zeros(len(PARAMETERS))


@pytest.fixture(scope="module")
def rig() -> VideoRig:
    picture, mesh = drawn_head()
    return VideoRig.build(picture, mesh)


def frame_at(x: int, y: int, size: int = 420) -> tuple[Tensor, Tensor]:
    """A larger frame with the drawn head somewhere in it."""
    picture, mesh = drawn_head()
    frame = torch.randint(
        0, 255, (size, size, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    frame[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return frame, mesh + torch.tensor([x, y, 0.0])


def changed(before: Tensor, after: Tensor) -> Tensor:
    return (before != after).any(2)


def test_nothing_to_add_leaves_the_very_frame(rig: VideoRig) -> None:
    frame, mesh = frame_at(20, 30)
    assert rig.apply(frame, mesh, NOTHING) is frame
    speech = NOTHING.clone()
    speech[INDEX["jaw_open"]] = speech[INDEX["head_yaw"]] = speech[INDEX["blink_l"]] = 1.0
    assert rig.apply(frame, mesh, speech) is frame, "mouth, head and eyes are the person's own"


def test_the_expression_goes_where_the_face_is(rig: VideoRig) -> None:
    moved = []
    for x, y in ((20, 30), (130, 90)):
        frame, mesh = frame_at(x, y)
        difference = changed(frame, rig.apply(frame, mesh, SAD)).nonzero().float()
        moved.append(difference.mean(0) - torch.tensor([y, x]))
    assert torch.allclose(moved[0], moved[1], atol=10.0), "and not by 110 and 60 pixels"


def test_what_lies_far_from_the_face_stays_bit_for_bit(rig: VideoRig) -> None:
    frame, mesh = frame_at(0, 0, 640)
    frame[:, 400:] = torch.randint(0, 255, (640, 240, 3), dtype=torch.uint8)
    result = rig.apply(frame, mesh, HAPPY)
    assert changed(frame, result).any()
    assert torch.equal(result[:, 400:], frame[:, 400:]) and torch.equal(result[450:], frame[450:])


def test_the_mouth_of_a_face_that_only_lifts_its_brows_stays_as_it_is(rig: VideoRig) -> None:
    frame, mesh = frame_at(60, 60)
    worried = NOTHING.clone()
    worried[INDEX["inner_brow_up_l"]] = worried[INDEX["inner_brow_up_r"]] = 1.0
    difference = changed(frame, rig.apply(frame, mesh, worried)).float()
    x, y = mesh[list(LIPS[:2]), :2].mean(0).round().long().tolist()
    brow = mesh[list(BROWS), :2].mean(0).round().long().tolist()
    assert difference[y - 6 : y + 6, x - 12 : x + 12].mean() < 0.2
    assert difference[brow[1] - 6 : brow[1] + 6, brow[0] - 12 : brow[0] + 12].mean() > 0.5


def test_what_the_face_shows_already_is_not_shown_twice(rig: VideoRig) -> None:
    smiling = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 1.0, "cheekSquintRight": 1.0}
    wanted = NOTHING.clone()
    for name in ("smile_l", "smile_r", "cheek_raise_l", "cheek_raise_r"):
        wanted[INDEX[name]] = 1.0
    frame, mesh = frame_at(60, 60)
    assert torch.equal(rig.apply(frame, mesh, wanted, smiling), frame)
    assert not torch.equal(rig.apply(frame, mesh, wanted, {}), frame)


def test_closed_eyes_are_not_opened(rig: VideoRig) -> None:
    wide = NOTHING.clone()
    wide[INDEX["upper_lid_raise_l"]] = wide[INDEX["upper_lid_raise_r"]] = 1.0
    frame, mesh = frame_at(60, 60)
    closed = rig.apply(frame, mesh, wide, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    assert torch.equal(closed, frame) and not torch.equal(rig.apply(frame, mesh, wide), frame)


def test_a_share_of_none_shows_nothing_and_half_of_it_less(rig: VideoRig) -> None:
    frame, mesh = frame_at(60, 60)
    assert rig.apply(frame, mesh, SAD, share=0.0) is frame
    whole, half = (rig.apply(frame, mesh, SAD, share=share).float() for share in (1.0, 0.5))
    assert (half - frame).abs().mean() < 0.8 * (whole - frame).abs().mean()


@pytest.mark.parametrize(("degrees", "shows"), [(10, True), (48, False)])
def test_a_face_that_turns_away_shows_no_expression(rig: VideoRig, degrees: float, shows: bool) -> None:
    frame, mesh = frame_at(60, 60)
    away = turned(mesh, degrees)
    assert torch.equal(rig.apply(frame, away, SAD), frame) != shows


def test_new_speech_opens_the_mouth_that_was_closed(rig: VideoRig) -> None:
    speech = NOTHING.clone()
    speech[INDEX["jaw_open"]] = 0.8
    frame, mesh = frame_at(60, 60)
    result = rig.apply(frame, mesh, speech, replace_lips=True)
    x, y = mesh[[13, 14], :2].mean(0).round().long().tolist()
    below = result[y + 4 : y + 10, x - 5 : x + 5].float().mean()
    assert below < frame[y + 4 : y + 10, x - 5 : x + 5].float().mean() - 15, "dark between the lips"


def test_points_that_are_no_face_leave_the_frame(rig: VideoRig) -> None:
    frame, _ = frame_at(60, 60)
    assert rig.apply(frame, torch.zeros(478, 3), SAD) is frame


def test_it_cannot_be_built_on_points_that_are_no_face() -> None:
    picture, _ = drawn_head()
    with pytest.raises(InputError, match="too small"):
        VideoRig.build(picture, torch.zeros(478, 3))


@pytest.mark.parametrize("place", [(-90, 30), (250, 200)])
def test_a_face_that_leaves_the_frame_is_moved_as_far_as_it_is_seen(
    rig: VideoRig, place: tuple[int, int]
) -> None:
    picture, mesh = drawn_head()
    x, y = place
    whole = torch.full((700, 700, 3), 120, dtype=torch.uint8)
    whole[150 + y : 150 + y + 256, 150 + x : 150 + x + 256] = picture
    frame = whole[150:500, 150:500].contiguous()
    result = rig.apply(frame, mesh + torch.tensor([x, y, 0.0]), SAD)
    assert result.shape == frame.shape and not torch.equal(result, frame)
