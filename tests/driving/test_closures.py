"""Lips that meet where a listener hears a closure, and stay as they are elsewhere and without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eadnet.driving import closures
from eadnet.driving.closures import heard_closures, with_closures
from eadnet.driving.motion import MotionModel
from eadnet.driving.speech import track_from_speech
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import Track
from tests.tiny_motion import write_tiny_motion

FRAMES, CLOSE = 20, INDEX["lip_close"]


@pytest.fixture(scope="module")
def listener() -> MiniAudioEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MiniAudioEncoder(width=16, dim=1, dilations=(1, 2), groups=4).eval()


def track() -> Track:
    generator = torch.Generator().manual_seed(1)
    return Track(torch.rand(FRAMES, len(PARAMETERS), generator=generator), 25.0)


def test_what_was_surely_heard_shuts_the_lips_and_nothing_else_changes() -> None:
    before, heard = track(), torch.full((FRAMES,), 0.2)
    heard[5], heard[6] = 0.9, 0.45
    after = with_closures(before, heard)
    assert after.values[5, CLOSE] == 1
    assert after.values[6, CLOSE] == pytest.approx(max(0.5, float(before.values[6, CLOSE])))
    rest = [row for row in range(FRAMES) if row not in (4, 5, 6, 7)]
    assert torch.equal(after.values[rest], before.values[rest])
    others = [column for column in range(len(PARAMETERS)) if column != CLOSE]
    assert torch.equal(after.values[:, others], before.values[:, others])


def test_a_closure_of_one_frame_comes_and_goes_over_three() -> None:
    open_lips, heard = Track(torch.zeros(FRAMES, len(PARAMETERS)), 25.0), torch.zeros(FRAMES)
    heard[[0, 5, 12, 13]] = 1.0
    shut = with_closures(open_lips, heard).values[:, CLOSE]
    half = pytest.approx(shut[4].item())
    assert 0.4 < shut[4] < 0.5, "not shut, as whoever counts closures counts"
    assert shut[[4, 6, 1, 11, 14]].tolist() == [half] * 5
    assert shut[[0, 5, 12, 13]].tolist() == [1] * 4
    assert (shut > 0).sum() == 9


def test_a_listener_answers_for_every_frame_of_any_length(listener: MiniAudioEncoder) -> None:
    waveform = torch.randn(50 * 640, generator=torch.Generator().manual_seed(2))
    for frames in (1, 25, 50):
        heard = heard_closures(listener, SpeechInMemory(waveform), frames)
        assert heard.shape == (frames,) and ((heard > 0) & (heard < 1)).all()


def test_speech_is_played_with_the_closures_that_are_heard_and_without_a_listener_as_before(
    listener: MiniAudioEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MotionModel.load(write_tiny_motion(tmp_path / "motion.safetensors"))
    waveform = torch.randn(25 * 640, generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(closures, "bundled_listener", lambda: None)
    alone = track_from_speech(waveform, "", model=model)
    monkeypatch.setattr(closures, "bundled_listener", lambda: listener)
    monkeypatch.setattr(closures, "heard_closures", lambda *_: (torch.arange(25) % 4 == 1) * 1.0)
    shut = track_from_speech(waveform, "", model=model)
    assert (shut.values[1::4, CLOSE] == 1).all()
    assert torch.equal(shut.values[3::4, CLOSE], alone.values[3::4, CLOSE])
