"""The meter without weights finds known lags of a mouth that follows a voice."""

from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import moved
from eadnet.metrics.speech_fit import filled, leave_one_out, speech_features


def talk(seed: int, frames: int = 100, fps: float = 25.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(opening [T], sound [S]): syllables of noise, and a mouth that opens with them."""
    random = torch.Generator().manual_seed(seed)
    loud = torch.zeros(frames)
    at = 3
    while at < frames - 6:
        length = int(torch.randint(2, 6, (), generator=random))
        loud[at : at + length] = 0.3 + 0.7 * torch.rand((), generator=random)
        at += length + int(torch.randint(2, 7, (), generator=random))
    samples = round(16000 / fps)
    sound = 0.2 * loud.repeat_interleave(samples) * torch.randn(frames * samples, generator=random)
    return loud + 0.05 * torch.randn(frames, generator=random), sound


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_the_clip_that_is_late_is_found_and_other_clips_sound_fits_less(late):
    clips = [talk(seed) for seed in range(6)]
    sounds = [sound for _, sound in clips]
    sounds[2] = moved(sounds[2], 16000, late / 25)
    fits = leave_one_out([o for o, _ in clips], sounds, [25.0] * 6)
    assert [fit.offset for fit in fits] == [0, 0, -late, 0, 0, 0]
    assert min(fit.correlation for fit in fits) > 0.7 > max(fit.control for fit in fits)


def test_other_frame_rates_and_silence_beyond_the_sound():
    clips = [talk(seed, 120, 30.0) for seed in range(4)]
    fits = leave_one_out([o for o, _ in clips], [s[:-4000] for _, s in clips], [30.0] * 4)
    assert [fit.offset for fit in fits] == [0] * 4


def test_silence_and_still_mouths_give_numbers():
    clips = [talk(seed) for seed in range(3)]
    openings = [clips[0][0], torch.zeros(100), clips[2][0]]
    sounds = [clips[0][1], clips[1][1], torch.zeros(64000)]
    for fit in leave_one_out(openings, sounds, [25.0] * 3):
        assert torch.tensor([fit.correlation, fit.control]).isfinite().all()


def test_features_have_a_row_per_frame():
    assert speech_features(torch.randn(16000), 30, 30.0).shape == (30, 180)
    with pytest.raises(InputError):
        speech_features(torch.zeros(100), 0, 25.0)


def test_gaps_are_bridged():
    nan = float("nan")
    assert filled(torch.tensor([nan, 1.0, nan, 3.0, nan])).tolist() == [1, 1, 2, 3, 3]
    assert filled(torch.tensor([nan, nan])).tolist() == [0, 0]


def test_two_clips_are_too_few():
    opening, sound = talk(0)
    with pytest.raises(InputError, match="at least 3"):
        leave_one_out([opening] * 2, [sound] * 2, [25.0] * 2)
