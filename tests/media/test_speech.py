"""Speech on disk: the same numbers as in memory, whatever the rate and however it was cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import to_mono_16k
from eadnet.media.sound import SoundInMemory
from eadnet.media.speech import SpeechInMemory, record_speech
from tests.quick import some


class Cut:
    """A recording that comes in uneven pieces."""

    def __init__(self, waveform: torch.Tensor, rate: int, sizes: list[int]) -> None:
        self.waveform, self.rate, self.channels, self.sizes = waveform, rate, len(waveform), sizes
        self.notes: list[str] = []

    def pieces(self) -> Iterator[torch.Tensor]:
        start = turn = 0
        while start < self.waveform.shape[1]:
            size = self.sizes[turn % len(self.sizes)]
            yield self.waveform[:, start : start + size]
            start, turn = start + size, turn + 1


@pytest.mark.parametrize("rate", some(4, [8000, 16000, 22050, 44100, 48000, 96000]))
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_cut_or_whole_it_is_the_same_speech(tmp_path: Path, rate: int, channels: int) -> None:
    noise = 0.3 * torch.randn(
        channels, 300_001 * rate // 44100 * 2, generator=torch.Generator().manual_seed(1)
    )
    speech = record_speech(Cut(noise, rate, [1024, 100_000, 7, 300_000]), tmp_path / "s.f32")
    expected = to_mono_16k(noise, rate)
    assert speech.samples == expected.numel()
    torch.testing.assert_close(speech.read(0, speech.samples), expected, atol=1e-6, rtol=0)
    assert speech.seconds == noise.shape[1] / rate


def test_an_odd_rate_and_a_short_sound(tmp_path: Path) -> None:
    noise = torch.randn(1, 5000, generator=torch.Generator().manual_seed(1))
    speech = record_speech(SoundInMemory(noise, 11111), tmp_path / "s.f32")
    torch.testing.assert_close(speech.read(0, speech.samples), to_mono_16k(noise, 11111), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (3, 7), (-4, 3), (7, 20), (-3, 30), (12, 15), (-9, -2)])
def test_beyond_both_ends_lies_silence(tmp_path: Path, start: int, stop: int) -> None:
    waveform = torch.arange(1.0, 10.0)
    in_memory = SpeechInMemory(waveform).read(start, stop)
    on_disk = record_speech(SoundInMemory(waveform, 16000), tmp_path / "s.f32").read(start, stop)
    expected = torch.tensor([waveform[i] if 0 <= i < 9 else 0.0 for i in range(start, stop)])
    assert torch.equal(in_memory, expected) and torch.equal(on_disk, expected)


def test_no_room_and_no_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be saved in .*gone"):
        record_speech(SoundInMemory(torch.ones(99), 16000), tmp_path / "gone" / "s.f32")
