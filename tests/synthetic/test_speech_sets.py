"""Sets of synthetic speech: with the mouths that say it, deterministic, and clips said again by others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.synthetic.speech_sets import make_other_voices, make_speech
from eadnet.synthetic.visemes import MOUTH
from eadnet.training.data.speech import SpeechSet


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> SpeechSet:
    folder = tmp_path_factory.mktemp("speech")
    make_speech(folder, "train", 6, frames=20)
    return SpeechSet(folder)


def test_recordings_come_with_the_mouth_that_says_them(spoken: SpeechSet):
    speech, mouths = spoken.rows(np.arange(6))
    assert speech.shape == (6, 20 * 640) and mouths.shape == (6, 20, len(MOUTH))
    assert spoken.names == MOUTH
    assert speech.abs().max() > 0.01 and mouths.max() > 0.3
    assert 0 <= mouths.min() and mouths.max() <= 1


def test_the_same_seed_gives_the_same_speech(spoken: SpeechSet, tmp_path: Path):
    make_speech(tmp_path, "train", 2, frames=20, first_seed=3)
    np.testing.assert_array_equal(SpeechSet(tmp_path).speech, spoken.speech[3:5])


def test_draws_follow_the_generator(spoken: SpeechSet):
    first, again = (spoken.draw(3, torch.Generator().manual_seed(4)) for _ in range(2))
    torch.testing.assert_close(first, again)


@pytest.mark.slow
def test_clips_are_said_again_by_others_and_training_hears_any_of_them(tmp_path: Path):
    settings = {"split": "train", "first_seed": 0, "clips": 2, "frames": 12}
    (tmp_path / "made_with.json").write_text(json.dumps(settings))
    make_other_voices(tmp_path, 3)
    voices = np.load(tmp_path / "voices.npy")
    assert voices.shape == (2, 3, 12 * 640)
    assert len({voice.tobytes() for voice in voices[0]}) == 3
