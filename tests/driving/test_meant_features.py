"""What model and sentence both see is shown as far as the sentence means; nothing else is moved."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from eadnet.driving.meant_features import shows_rare_feature, with_meant_features
from eadnet.driving.motion import MotionModel, motion_track
from eadnet.driving.sentence import SentenceReader
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.speech import SpeechInMemory
from eadnet.rig.expression import INDEX, PARAMETERS
from experiments.emotion.evaluator import CALM
from experiments.paths import ASSETS

FPS = 25.0


def face(frames: int = 50, **amounts: float) -> Tensor:
    values = torch.zeros(frames, len(PARAMETERS))
    for name, amount in amounts.items():
        values[:, INDEX[name]] = amount
    return values


def test_a_feature_that_is_shown_in_part_goes_as_far_as_it_is_meant() -> None:
    raised = with_meant_features(face(nose_wrinkle=0.4), face(1, nose_wrinkle=0.9), FPS)
    assert raised[:, INDEX["nose_wrinkle"]].tolist() == pytest.approx([0.9] * 50)
    assert int((raised != 0).any(0).sum()) == 1


def test_what_one_of_the_two_does_not_see_stays_and_so_do_lips_lids_and_head() -> None:
    shown = face(smile_l=0.09, frown_r=0.8, lip_press=0.4, blink_l=0.4, head_yaw=0.4, jaw_open=0.4)
    meant = face(1, smile_l=1, frown_r=0.5, lip_press=1, blink_l=1, head_yaw=1, jaw_open=1, chin_raise=1)
    assert torch.equal(with_meant_features(shown, meant, FPS), shown)


def test_it_keeps_its_rise_and_fall_and_its_range() -> None:
    values = face(100, chin_raise=0.5, smile_l=0.5)
    values[:, INDEX["chin_raise"]] += 0.1 * torch.arange(100).mul(2).sin()
    values[50, INDEX["smile_l"]] = 1.0
    raised = with_meant_features(values, face(1, chin_raise=0.8, smile_l=0.9), FPS)
    change = (raised - values)[:, INDEX["chin_raise"]]
    assert change.min() > 0.25 and change.max() < 0.35
    assert float(raised.max()) == 1.0


def test_a_sentence_that_changes_is_followed() -> None:
    meant = face(100, nose_wrinkle=0.9)
    meant[50:] = 0
    raised = with_meant_features(face(100, nose_wrinkle=0.4), meant, FPS)[:, INDEX["nose_wrinkle"]]
    assert raised.tolist() == pytest.approx([0.9] * 50 + [0.4] * 50)


@pytest.mark.parametrize(
    ("shown", "rare"),
    [
        ({}, False),
        ({"smile_l": 0.8, "smile_r": 0.76, "cheek_raise_l": 0.4, "cheek_raise_r": 0.4}, False),
        ({"brow_lower_l": 1.0, "brow_lower_r": 1.0, "lip_press": 0.5}, False),
        ({"blink_l": 1.0, "head_yaw": 0.5, "jaw_open": 0.7}, False),
        ({"nose_wrinkle": 0.2}, True),
        ({"dimple_r": 0.3}, True),
        ({"outer_brow_up_l": 0.4}, True),
    ],
)
def test_a_rare_feature_is_one_side_alone_a_nose_or_a_dimple(shown: dict[str, float], rare: bool) -> None:
    assert shows_rare_feature(face(50, **shown), FPS) is rare


def test_what_lasts_for_a_moment_is_none() -> None:
    values = face()
    values[20:21, INDEX["outer_brow_up_l"]] = 0.8
    assert not shows_rare_feature(values, FPS)


@pytest.mark.slow
def test_a_plain_sentence_does_not_wait_for_the_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MotionModel, "sentences", property(lambda _: pytest.fail("it was fitted")))
    spoken("very happy, smiling broadly")


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_any_length(frames: int) -> None:
    assert len(with_meant_features(face(frames, nose_wrinkle=0.4), face(1), FPS)) == frames


@lru_cache(maxsize=1)
def bundled() -> MotionModel:
    return MotionModel.load()


def spoken(text: str) -> Tensor:
    speech = SpeechInMemory(to_mono_16k(*load_audio(ASSETS / "speech.wav"))[:16_000])
    return motion_track(speech, text, 25, model=bundled()).values.mean(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, name",
    [
        ("nose wrinkled", "nose_wrinkle"),
        ("left eye narrowed", "lid_tighten_l"),
        ("nose puckered up", "nose_wrinkle"),
    ],
)
def test_a_single_feature_that_is_asked_for_is_kept(text: str, name: str) -> None:
    assert float(spoken(text)[INDEX[name]] - spoken(CALM)[INDEX[name]]) > 0.6


@pytest.mark.slow
def test_without_a_sentence_and_with_another_encoders_tokens_nothing_is_raised() -> None:
    reader = SentenceReader.fit(bundled().text_encoder.encode)
    null = bundled().encode_emotion("")[1]
    assert reader.knows(null) and reader.knows(null.half()) and not reader.knows(null[:, :8])
    assert not reader.knows(null + 0.2 * null.flip(-1))
    assert not reader.beyond_none(null).any()
