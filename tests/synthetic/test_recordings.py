"""Recordings of clips, and the same words by other speakers."""

from __future__ import annotations

import numpy as np
import pytest

from eadnet.synthetic.clips import described, make_clip
from eadnet.synthetic.recordings import Waveform, other_voices, record
from eadnet.synthetic.speakers import draw_speaker

SEEDS = range(20)


def loudness(waveform: Waveform) -> np.ndarray:
    """Of frames of 20 ms, standardised."""
    level = np.log(np.abs(waveform[: len(waveform) // 320 * 320]).reshape(-1, 320).max(1) + 1e-3)
    return (level - level.mean()) / (level.std() + 1e-6)


def test_a_recording_is_that_of_the_clip_of_its_seed() -> None:
    clip = make_clip(3, "train", 30)
    recording = record(3, "train", described(3, "train"), 30)
    np.testing.assert_array_equal(recording.waveform, clip.waveform)
    assert recording.phonemes == clip.phonemes and recording.voice == clip.voice


@pytest.mark.slow
def test_a_share_of_the_recordings_is_foreign() -> None:
    def foreign(share: float) -> float:
        voices = [record(s, "train", described(s, "train"), 10, foreign=share).voice for s in SEEDS]
        return float(np.mean([not voice.startswith("en") for voice in voices]))

    assert foreign(0.0) == 0.0 and foreign(1.0) == 1.0


def test_a_drawn_speaker_says_the_words_of_the_split() -> None:
    own = record(4, "train", described(4, "train"), 30)
    other = record(4, "train", described(4, "train"), 30, speaker=draw_speaker(np.random.default_rng(0)))
    assert other.text == own.text and not np.array_equal(other.clean, own.clean)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_other_voices_differ_and_move_the_mouth_at_the_same_times(seed: int) -> None:
    own = record(seed, "train", described(seed, "train"), 50)
    others = other_voices(seed, "train", described(seed, "train"), 50, 3)
    assert len(others) == 3 and len({w.tobytes() for w in (own.waveform, *others)}) == 4
    elsewhere = record(seed + 50, "train", described(seed + 50, "train"), 50)
    for other in others:
        assert other.shape == own.waveform.shape
        same = float(np.mean(loudness(own.clean) * loudness(other)))
        assert same > 0.2 and same > float(np.mean(loudness(elsewhere.clean) * loudness(other)))
