"""The audio front end: files, batches, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import CheckpointError
from eadnet.synthetic.heard import Backgrounds
from eadnet.synthetic.openness import CLASS, SOUNDS
from eadnet.synthetic.speech import PAUSE, Phoneme
from eadnet.synthetic.talk import Talk, write_shard
from eadnet.training.recipes.front_end import COLUMNS, FRAMES, Talks, _at, classes_of, masked, train
from eadnet.training.regressors.front_end import FrontEnd

SMALL = {"width": 16, "dim": 8, "dilations": [1], "groups": 4}
QUIET = Backgrounds((np.full((80, 40), 1e-6, np.float32),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Vowels that are loud low tones, between silence."""
    time = np.arange(4 * 16_000) / 16_000
    loud = (time % 0.8) < 0.4
    wave = (0.3 * np.sin(2 * np.pi * 600 * time) * loud + 1e-3 * np.sin(2 * np.pi * 90 * time)).astype(
        np.float32
    )
    sounds = []
    for k in range(5):
        sounds += [Phoneme("ɛ", 0.8 * k, 0.8 * k + 0.4, 2), Phoneme(PAUSE, 0.8 * k + 0.4, 0.8 * k + 0.8)]
    write_shard(tmp_path / "a.npz", [Talk(wave, tuple(sounds), "", "en", "espeak", "x", "train")])
    return tmp_path


def test_a_front_end_is_read_as_it_was_written(tmp_path: Path) -> None:
    front = FrontEnd(10, 5, SMALL).eval()
    front.save(tmp_path / "front.safetensors")
    again = FrontEnd.load(tmp_path / "front.safetensors")
    wave = torch.randn(16_000)
    for one, other in zip(front.hear(wave, 25), again.hear(wave, 25), strict=True):
        assert torch.equal(one, other)
    assert front.hear(wave, 25)[0].shape == (25, 10) and front.hear(wave, 25)[1].shape == (50, 5)


def test_a_foreign_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="no audio front end"):
        FrontEnd.load(tmp_path / "x.safetensors")


def test_batches_show_sound_mouth_and_sounds_of_the_same_moment(folder: Path) -> None:
    talks = Talks(folder, backgrounds=QUIET)
    power, mouth, classes = talks.draw(np.random.default_rng(0), 6)
    assert power.shape == (6, 80, 4 * FRAMES) and mouth.shape == (6, FRAMES, len(COLUMNS))
    level = power.mean(1).reshape(6, FRAMES, 4).mean(2).log()
    for row in range(6):
        vowel = classes[row].reshape(FRAMES, 2)[:, 0] == CLASS["ɛ"]
        assert level[row][vowel].mean() > level[row][~vowel].mean() + 0.5
        assert np.corrcoef(vowel.float(), mouth[row, :, -1])[0, 1] > 0.7


def test_classes_follow_the_pace_and_the_start() -> None:
    sounds = [Phoneme("m", 0.0, 0.4), Phoneme("ɑ", 0.4, 0.8)]
    slow, quick = classes_of(sounds, 0.5, 0.0), classes_of(sounds, 2.0, 0.0)
    assert (slow == CLASS["m"]).sum() == 4 * (quick == CLASS["m"]).sum()
    assert classes_of(sounds, 1.0, 0.5)[0] == CLASS["ɑ"] and classes_of(sounds, 1.0, -0.5)[0] == CLASS[PAUSE]


def test_beyond_the_ends_lies_silence() -> None:
    rows = np.ones((4, 2), np.float32)
    assert _at(np.array([-2.0, 0.5, 7.0]), rows)[:, 0].tolist() == [0.0, 1.0, 0.0]


def test_masks_leave_most_bands() -> None:
    log_mel = torch.rand(40, 80, 20) + 1
    changed = (masked(log_mel, np.random.default_rng(0)) != log_mel).any(2)
    assert 0 < changed.any(1).sum() < 40 and changed.sum(1).max() < 14


@pytest.mark.slow
def test_it_learns_to_see_the_mouth_in_the_sound(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    talks = Talks(folder, backgrounds=QUIET)
    front = FrontEnd(len(COLUMNS), len(SOUNDS), SMALL)
    _, mouth, _ = talks.draw(np.random.default_rng(1), 1)
    train(talks, front, tmp_path / "log", minutes=1.0, steps=12)
    assert (tmp_path / "log").is_dir() and not front.training
    assert front.hear(torch.zeros(16_000), 25)[0].isfinite().all() and mouth.isfinite().all()
