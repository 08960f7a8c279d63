"""What lasts of lids and gaze is meant and stays; blinks, glances and the model's own noise do not."""

from __future__ import annotations

import pytest
import torch

from eadnet.driving.idle import Idle
from eadnet.driving.meant_eyes import meant_eyes
from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech, with_idle_motion
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.rendering import RenderSettings
from eadnet.rig.expression import INDEX
from eadnet.rig.track import Track
from experiments.paths import ASSETS

LIDS = [INDEX["blink_l"], INDEX["blink_r"]]


def of(**curves: float) -> Track:
    return Track.of({name: torch.full((150,), value) for name, value in curves.items()}, 25.0)


def test_half_shut_lids_and_a_lowered_gaze_last_and_stay() -> None:
    meant = meant_eyes(of(blink_l=0.4, blink_r=0.4, gaze_y=0.3, jaw_open=0.5))
    assert meant["blink_l"].tolist() == pytest.approx([0.4] * 150)
    assert meant["gaze_y"].tolist() == pytest.approx([0.3] * 150)
    assert not meant["jaw_open"].any()


def test_blinks_glances_and_the_models_own_noise_mean_nothing() -> None:
    track = of(blink_l=0.1, blink_r=0.11, gaze_x=-0.05, gaze_y=0.06)
    track.values[40:46, LIDS] = 1.0
    track.values[80:95, INDEX["gaze_x"]] = 0.5
    assert not meant_eyes(track).values.any()


def test_a_blink_shuts_lowered_lids_and_they_come_back_to_where_they_are_meant() -> None:
    moved = with_idle_motion(of(blink_l=0.4, blink_r=0.4), 3, Idle(gaze=0, head=0, blinks=40))
    assert moved.values[:, LIDS].min() == pytest.approx(0.4)
    assert moved.values[:, LIDS].max() > 0.9
    calm = with_idle_motion(of(jaw_open=0.2), 3, Idle(gaze=0, head=0, blinks=0))
    assert calm.values[:, LIDS].max() == 0


def test_eyes_that_are_to_be_still_are() -> None:
    moved = with_idle_motion(of(blink_l=0.4, gaze_y=0.4), 3, Idle(blinks=0, gaze=0, head=0))
    assert not moved.values.any()


def test_no_frames_and_one_are_right_too() -> None:
    assert len(meant_eyes(Track(torch.zeros(0, len(INDEX)), 25.0))) == 0
    assert len(meant_eyes(Track(torch.zeros(1, len(INDEX)), 25.0))) == 1


@pytest.mark.slow
def test_tired_people_speak_with_heavy_lids_and_others_as_before() -> None:
    model = MotionModel.load()
    waveform = to_mono_16k(*load_audio(ASSETS / "speech.wav"))[: 2 * 16000]

    def lids(text: str) -> float:
        track = track_from_speech(waveform, text, model=model, settings=RenderSettings(seed=1))
        return float(track.values[:, LIDS].mean())

    assert lids("happy") == lids("")
    assert lids("tired and bored") > lids("") + 0.15
