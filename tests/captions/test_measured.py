"""Blend shapes to action units to an emotion; with MediaPipe where it is installed."""

from __future__ import annotations

import json
import math
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from eadnet.captions.measured import (
    MeasuredCaptioner,
    action_units,
    describe_shapes,
    from_face_landmarks,
    mean_shapes,
)
from eadnet.errors import CheckpointError, InputError

TABLE = json.loads(resources.files("eadnet.captions").joinpath("blendshapes.json").read_text("utf-8"))
CALM = {name: rest for name, (rest, _) in TABLE["shapes"].items()}


def face(**shares: float) -> dict[str, float]:
    """A calm face with some shapes at a share of their way to full; without a side both are meant."""
    shapes = dict(CALM)
    for name, share in shares.items():
        for full in [n for n in shapes if n in (name, f"{name}Left", f"{name}Right")]:
            rest, most = TABLE["shapes"][full]
            shapes[full] = rest + share * (most - rest)
    return shapes


def test_a_calm_face_is_neutral() -> None:
    assert action_units(CALM) == ()
    assert describe_shapes(CALM).emotion == "neutral" and describe_shapes(CALM).intensity == 0


@pytest.mark.parametrize(
    ("shapes", "emotion"),
    [
        (face(mouthSmile=0.9, eyeSquint=0.7), "happy"),
        (face(browInnerUp=0.9, mouthFrown=0.9, mouthShrugLower=0.5), "sad"),
        (face(browDown=0.9, mouthPress=0.7, eyeSquint=0.6), "angry"),
        (face(browInnerUp=0.9, browOuterUp=0.9, eyeWide=0.9, jawOpen=0.6), "surprised"),
        (face(browInnerUp=0.9, eyeWide=0.9, mouthStretch=0.9), "fearful"),
        (face(mouthUpperUp=0.9, eyeSquint=0.6, browDown=0.5, mouthFrown=0.5), "disgusted"),
        (face(mouthDimpleRight=1.0, mouthSmileRight=0.6), "contemptuous"),
    ],
)
def test_prototypes_are_recognised(shapes: dict[str, float], emotion: str) -> None:
    described = describe_shapes(shapes)
    assert described.emotion == emotion and described.intensity > 0.4
    assert described == describe_shapes(shapes)


def test_sides_are_told_apart() -> None:
    units = {(unit.number, unit.side) for unit in action_units(face(browOuterUpLeft=0.9))}
    assert units == {(2, "left")}
    assert {(2, "both")} == {(u.number, u.side) for u in action_units(face(browOuterUp=0.9))}


def test_a_persons_own_calm_face_is_taken_off() -> None:
    stern = face(browDown=0.5)
    assert action_units(stern) and not action_units(stern, rest=stern)


def test_a_smile_that_narrows_the_eyes_raises_the_cheeks() -> None:
    units = {unit.number: unit.strength for unit in action_units(face(mouthSmile=0.8, eyeSquint=0.8))}
    assert units[6] == pytest.approx(0.8, abs=0.01) and 7 not in units


@pytest.mark.parametrize(
    ("shape", "gaze"),
    [
        ("eyeLookOutLeft", "right"),
        ("eyeLookOutRight", "left"),
        ("eyeLookUpLeft", "up"),
        ("eyeLookDownLeft", "down"),
    ],
)
def test_gaze_is_said_from_the_viewers_side(shape: str, gaze: str) -> None:
    twin = {"Out": "In", "Up": "Up", "Down": "Down"}[shape[7:-4] if shape.endswith("Left") else shape[7:-5]]
    other = shape[:7] + twin + ("Right" if shape.endswith("Left") else "Left")
    assert describe_shapes({**CALM, shape: 0.9, other: 0.9}).gaze == gaze


def test_frames_without_a_face_are_left_out_and_counted() -> None:
    landmarks = {"frames": [[], [{"blendshapes": face(mouthSmile=0.9)}], [{"blendshapes": CALM}]]}
    made = from_face_landmarks(landmarks)
    assert made.notes == ("1 of 3 frames show no face",)
    assert made.description.strength(12) == pytest.approx(0.45, abs=0.01)


@pytest.mark.parametrize(
    ("landmarks", "problem"),
    [
        (None, "contain no frames"),
        ({"frames": [[], []]}, "No face was found"),
        ({"frames": [[{"landmarks_xy": [1]}]]}, "contain no blend shapes"),
    ],
)
def test_landmarks_without_shapes_say_what_is_missing(landmarks: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        from_face_landmarks(landmarks)


def test_no_frames_have_no_mean() -> None:
    with pytest.raises(InputError, match="No face"):
        mean_shapes([None, None])


FRAME = np.zeros((64, 64, 3), np.uint8)
SHARED = Path(os.environ.get("EADNET_SHARED", Path(__file__).parents[3] / "shared"))
TASK = SHARED / "models" / "face_landmarker_v2_with_blendshapes.task"


def test_another_file_is_no_landmarker(tmp_path: Path) -> None:
    (tmp_path / "a.task").write_bytes(b"PK nonsense")
    for name, problem in (("gone.task", "gone.task is missing"), ("a.task", "truncated")):
        with pytest.raises(CheckpointError, match=problem):
            MeasuredCaptioner(tmp_path / name).describe([FRAME])


@pytest.mark.skipif(not TASK.is_file(), reason=f"no {TASK}: set EADNET_SHARED")
def test_a_frame_without_a_face_is_no_face() -> None:
    with pytest.raises(InputError, match="No face"):
        MeasuredCaptioner(TASK).describe([FRAME])


@pytest.mark.parametrize(
    "frames", [2, [2], [[2]], ["x"], [[{"blendshapes": 1.5}]], [[{"blendshapes": {"jawOpen": "x"}}]]]
)
def test_landmarks_that_are_none_are_one_sentence(frames: object) -> None:
    with pytest.raises(
        InputError, match=r"^The face landmarks contain (no frames|blend shapes that are no num)"
    ):
        from_face_landmarks({"frames": frames, "image_size": [64, 64]})


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, None, [1.0]])
def test_a_blend_shape_that_is_no_number_is_one_sentence(value: object) -> None:
    with pytest.raises(InputError, match="no numbers"):
        from_face_landmarks({"frames": [[{"blendshapes": {"jawOpen": value}}]]})
