"""What the audio encoder learns before the denoiser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.modules.widening import widened
from eadnet.synthetic.speech_sets import make_speech
from eadnet.training.data.speech import SpeechSet
from eadnet.training.tasks.audio_encoder import (
    finetune_audio,
    mean_correlation,
    mouth_head,
    mouth_scale,
    pretrain_audio,
    tokens,
)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> SpeechSet:
    folder = tmp_path_factory.mktemp("speech")
    make_speech(folder, "train", 6, frames=20)
    return SpeechSet(folder)


def test_the_correlation_ignores_scale_and_still_mouths():
    truth = torch.zeros(2, 30, 2)
    truth[:, :, 0] = torch.linspace(0, 6, 30).sin()
    read = 3 * truth + 1
    read[1] = -read[1]
    torch.testing.assert_close(mean_correlation(read, truth), torch.tensor([0.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean_correlation(read[:1], truth[:1]), torch.tensor([1.0, 0.0]))


@pytest.mark.slow
def test_the_audio_encoder_learns_the_mouths_of_its_training_speech(spoken: SpeechSet, tmp_path: Path):
    torch.manual_seed(0)
    encoder = MiniAudioEncoder(width=32, dim=8)
    before = encoder.conv_out.weight.detach().clone()
    pretrain_audio(encoder, spoken, spoken, tmp_path, steps=8, logged=("jaw_open", "lip_close"))
    assert not torch.equal(before, encoder.conv_out.weight)
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()]
    assert rows[0] == ["step", "loss", "jaw_open", "lip_close"]
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 8


@pytest.mark.slow
def test_fine_tuning_hears_better_with_tokens_that_mean_what_they_did(spoken: SpeechSet, tmp_path: Path):
    torch.manual_seed(0)
    known = MiniAudioEncoder(width=32, dim=8, groups=4)
    larger = widened(known, {"width": 48, "groups": 6})
    scale = mouth_scale(spoken)
    head, variance = mouth_head(known, spoken, scale)
    speech, mouth = spoken.rows(np.arange(len(spoken)))

    def error() -> float:
        with torch.no_grad():
            return float((head(tokens(larger, speech, spoken.frames)) - mouth / scale).square().mean())

    before = error()
    finetune_audio(larger, known, spoken, spoken, tmp_path, steps=20)
    assert error() < before
    with torch.no_grad():
        moved = tokens(larger, speech, spoken.frames) - tokens(known, speech, spoken.frames)
    assert 0 < float(moved.square().mean()) < variance
    assert "away" in (tmp_path / "log.csv").read_text().splitlines()[0]
