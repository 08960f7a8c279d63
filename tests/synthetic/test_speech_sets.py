"""Speech without pictures, for the audio encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.synthetic.visemes import MOUTH
from eadnet.training.encoders import (
    linear_reading,
    mean_correlation,
    mouth_scale,
    pretrain_audio,
    teach_audio_on,
    tokens,
)
from eadnet.training.spoken import SpeechSet, make_other_voices, make_speech
from eadnet.training.talker import grown


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> SpeechSet:
    folder = tmp_path_factory.mktemp("speech")
    make_speech(folder, "train", 6, frames=20)
    return SpeechSet(folder)


def test_recordings_come_with_the_mouth_that_says_them(spoken: SpeechSet):
    speech, mouths = spoken.take(np.arange(6))
    assert speech.shape == (6, 20 * 640) and mouths.shape == (6, 20, len(MOUTH))
    assert speech.abs().max() > 0.01 and mouths.max() > 0.3
    assert 0 <= mouths.min() and mouths.max() <= 1


def test_the_same_seed_gives_the_same_speech(spoken: SpeechSet, tmp_path: Path):
    make_speech(tmp_path, "train", 2, frames=20, first_seed=3)
    np.testing.assert_array_equal(SpeechSet(tmp_path).speech, spoken.speech[3:5])


def test_draws_follow_the_generator(spoken: SpeechSet):
    first, again = (spoken.draw(3, torch.Generator().manual_seed(4)) for _ in range(2))
    torch.testing.assert_close(first, again)


def test_the_correlation_ignores_scale_and_still_mouths():
    truth = torch.zeros(2, 30, 2)
    truth[:, :, 0] = torch.linspace(0, 6, 30).sin()
    read = 3 * truth + 1
    read[1] = -read[1]
    torch.testing.assert_close(mean_correlation(read, truth), torch.tensor([0.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean_correlation(read[:1], truth[:1]), torch.tensor([1.0, 0.0]))


def test_the_audio_encoder_learns_the_mouths_of_its_training_speech(spoken: SpeechSet, tmp_path: Path):
    torch.manual_seed(0)
    encoder = MiniAudioEncoder(width=32, dim=8)
    before = encoder.conv_out.weight.detach().clone()
    pretrain_audio(encoder, spoken, spoken, tmp_path, steps=8)
    assert not torch.equal(before, encoder.conv_out.weight)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert rows[0] == ["step", "loss", "jaw_open", "lip_close"]
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 8


def test_teaching_on_hears_better_with_tokens_that_mean_what_they_did(spoken: SpeechSet, tmp_path: Path):
    torch.manual_seed(0)
    known = MiniAudioEncoder(width=32, dim=8, groups=4)
    larger = grown(known, {"width": 48, "groups": 6})
    scale = mouth_scale(spoken)
    head, variance = linear_reading(known, spoken, scale)
    speech, mouth = spoken.take(np.arange(len(spoken)))

    def error() -> float:
        with torch.no_grad():
            return float((head(tokens(larger, speech, spoken.frames)) - mouth / scale).square().mean())

    before = error()
    teach_audio_on(larger, known, spoken, spoken, tmp_path, steps=20)
    assert error() < before
    with torch.no_grad():
        moved = tokens(larger, speech, spoken.frames) - tokens(known, speech, spoken.frames)
    assert 0 < float(moved.square().mean()) < variance
    assert "away" in (tmp_path / "log.csv").read_text().splitlines()[0]


def test_clips_are_said_again_by_others_and_training_hears_any_of_them(tmp_path: Path):
    settings = {"split": "train", "first_seed": 0, "clips": 2, "frames": 12}
    (tmp_path / "made_with.json").write_text(json.dumps(settings))
    make_other_voices(tmp_path, 3)
    voices = np.load(tmp_path / "voices.npy")
    assert voices.shape == (2, 3, 12 * 640)
    assert len({voice.tobytes() for voice in voices[0]}) == 3
