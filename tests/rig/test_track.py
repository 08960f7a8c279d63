"""Tracks of facial parameters, and the way to ARKit's names and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.rig.arkit import ARKIT, from_facs, to_facs
from eadnet.rig.emotions import DEFAULT_INTENSITY, emotion_parameters
from eadnet.rig.expression import EMOTIONS, INDEX, PARAMETERS, RANGES, emotion_expression
from eadnet.rig.track import GROUPS, Track, columns


def ramp(frames: int = 50) -> Track:
    return Track.of({"jaw_open": torch.linspace(0, 1, frames), "smile": torch.full((frames,), 0.5)})


def test_the_52_names_are_arkits() -> None:
    assert len(ARKIT) == len(set(ARKIT)) == 52
    assert {"eyeBlinkLeft", "jawOpen", "mouthUpperUpRight", "cheekPuff", "tongueOut"} <= set(ARKIT)


@pytest.mark.parametrize("emotion", sorted(EMOTIONS))
def test_an_emotion_survives_arkit(emotion: str) -> None:
    there = emotion_parameters(emotion, 0.8)[None]
    back = to_facs(from_facs(there))
    # ARKit has one shape for the inner ends of both brows, and none for the tongue behind the teeth.
    assert float((back - there).abs().max()) < 1e-5


def test_looking_right_is_the_left_eye_outwards_and_the_right_one_inwards() -> None:
    shapes = Track.of({"gaze_x": [0.6], "gaze_y": [-0.4]}).to_arkit()[0]
    assert shapes["eyeLookOutLeft"] == shapes["eyeLookInRight"] == pytest.approx(0.6)
    assert shapes["eyeLookUpLeft"] == pytest.approx(0.4) and shapes["eyeLookDownLeft"] == 0


def test_a_gap_in_a_measured_track_is_bridged_and_the_rest_taken_off() -> None:
    def shapes(jaw: float) -> dict[str, float]:
        return {"jawOpen": jaw, "browDownLeft": 0.3, "browDownRight": 0.3}

    track = Track.from_arkit([shapes(0.0), None, shapes(0.8)], fps=30, rest=shapes(0.0))
    assert track["jaw_open"].tolist() == pytest.approx([0.0, 0.4, 0.8])
    assert float(track["brow_lower"].max()) == 0 and track.fps == 30
    with pytest.raises(InputError, match="clearly visible face"):
        Track.from_arkit([None, {}])


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
def test_a_saved_track_comes_back(tmp_path: Path, ending: str) -> None:
    track = Track(torch.rand(7, len(PARAMETERS)).clamp(0, 0.02), 29.97)
    track.save(tmp_path / f"a{ending}")
    loaded = Track.load(tmp_path / f"a{ending}")
    assert loaded.fps == 29.97
    assert float((loaded.values - track.values).abs().max()) <= 1e-5


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"format": 1, "fps": 25, "frames": 2, "names": ["x"]}']
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json is no track"):
        Track.load(tmp_path / "a.json")
    with pytest.raises(InputError, match="no track b"):
        Track.load(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"\.json or a \.safetensors"):
        ramp().save(tmp_path / "a.txt")


@given(fps=st.sampled_from([12.5, 24.0, 30.0, 50.0, 60.0]))
@settings(deadline=None, max_examples=10)
def test_resampling_keeps_the_seconds_and_the_curve(fps: float) -> None:
    track = ramp()
    other = track.resampled(fps)
    assert other.seconds == pytest.approx(track.seconds, abs=1 / fps)
    assert float((other["jaw_open"].diff() < -1e-6).sum()) == 0
    assert float(other["smile"].std()) < 1e-6


def test_edits_name_a_side_both_sides_or_a_group_and_stay_in_range() -> None:
    edited = ramp().edited(multiply={"smile_l": 0.0, "jaw": 3.0}, add={"brows": 0.25, "head_roll": 99})
    assert float(edited["smile_l"].max()) == 0 and float(edited["smile_r"].max()) == 0.5
    assert float(edited["jaw_open"].max()) == 1
    assert float(edited["inner_brow_up"].min()) == 0.25
    assert float(edited["head_roll"].max()) == RANGES[INDEX["head_roll"], 1]


def test_an_expression_is_added_and_the_lips_are_left_alone() -> None:
    speech, mood = ramp(), Track.still(emotion_parameters("sad", 1.0), 3, fps=50)
    both = speech.added(mood, ["emotion"])
    assert torch.equal(both["jaw_open"], speech["jaw_open"]) and len(both) == len(speech)
    assert float(both["frown"].min()) == pytest.approx(EMOTIONS["sad"]["frown_l"])
    lips = mood.replaced(speech, ["speech"])
    assert torch.equal(lips["frown"], mood["frown"]) and not torch.equal(lips["jaw_open"], mood["jaw_open"])


def test_speech_and_emotion_have_nothing_in_common() -> None:
    assert not set(GROUPS["speech"]) & set(GROUPS["emotion"])
    assert all(name in INDEX for names in GROUPS.values() for name in names)


def test_an_unknown_name_says_which_are_near() -> None:
    with pytest.raises(InputError, match="did you mean smile"):
        columns("smiel")
    with pytest.raises(InputError, match="did you mean"):
        emotion_parameters({"brow": 1.0})


@pytest.mark.parametrize(
    ("values", "fps", "match"),
    [
        (torch.zeros(3, 4), 25, "shape"),
        (torch.zeros(0, len(PARAMETERS)), 25, "at least one"),
        (torch.full((2, len(PARAMETERS)), float("inf")), 25, "finite"),
        (torch.zeros(2, len(PARAMETERS)), 0, "rate"),
        (torch.zeros(2, len(PARAMETERS)), float("nan"), "rate"),
    ],
)
def test_what_is_no_track_is_refused(values: torch.Tensor, fps: float, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Track(values, fps)


def test_an_emotion_is_the_drawn_worlds_unless_actions_are_given() -> None:
    assert torch.equal(emotion_parameters("angry", 1.0), torch.from_numpy(emotion_expression("angry")))
    assert torch.equal(emotion_parameters("angry"), emotion_parameters("angry", DEFAULT_INTENSITY))
    values = emotion_parameters({"smile": 1.0, "brow_lower_l": 0.5}, 0.5)
    assert [float(values[INDEX[n]]) for n in ("smile_l", "smile_r", "brow_lower_l")] == [0.5, 0.5, 0.25]


def test_smoothing_keeps_what_is_level_and_calms_what_is_not() -> None:
    track = Track.of({"smile": [0.4] * 30, "jaw_open": [0.0, 1.0] * 15})
    calm = track.smoothed(0.1)
    assert float((calm["smile"] - 0.4).abs().max()) < 1e-5
    assert float(calm["jaw_open"][8:-8].std()) < 0.1 * float(track["jaw_open"].std())
