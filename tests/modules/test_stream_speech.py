"""Speech that is read piece by piece gives the tokens of the whole recording."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.media.speech import SpeechInMemory
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.modules.whisper import WhisperEncoder
from tests.quick import some

RATES = [25, 24, Fraction(30000, 1001), 30, 50, 60]


@pytest.fixture(scope="module")
def encoders() -> dict[str, Any]:
    torch.manual_seed(0)
    whisper = WhisperEncoder(n_audio_ctx=150, n_audio_state=16, n_audio_head=2, n_audio_layer=2)  # 3 s chunks
    mini = MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4)
    return {"mini": mini.eval(), "whisper": whisper.eval()}


def speech(samples: int) -> torch.Tensor:
    swell = torch.linspace(0, samples / 4000, samples).sin().abs() ** 2
    return 0.3 * swell * torch.randn(samples, generator=torch.Generator().manual_seed(samples))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mini", "whisper"])
@given(fps=st.sampled_from(RATES), samples=st.integers(1, 201_234))
@example(25, 1)
@example(24, 640)
@example(25, 47_999)
@example(Fraction(30000, 1001), 48_000)
@example(50, 48_001)
@example(25, 201_234)
@example(60, 201_234)
def test_the_tokens_are_those_of_the_whole(
    encoders: dict[str, Any], name: str, fps: Any, samples: int
) -> None:
    encoder, waveform = encoders[name], speech(samples)
    frames = max(1, round(samples / 16000 * fps)) + 3
    expected = encoder.encode_speech(waveform, fps, frames)
    got = torch.cat(list(encoder.stream_speech(SpeechInMemory(waveform), fps, frames)))
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("name", some(3, ["mini", "whisper"]))
@pytest.mark.parametrize("first", [0, 1, 100, 255, 312])
def test_they_can_begin_at_any_frame_to_the_bit(encoders: dict[str, Any], name: str, first: int) -> None:
    source, encoder = SpeechInMemory(speech(200_000)), encoders[name]
    whole = torch.cat(list(encoder.stream_speech(source, 25, 313)))
    tail = torch.cat(list(encoder.stream_speech(source, 25, 313, first)))
    assert torch.equal(tail, whole[first:])


def test_fewer_frames_than_there_is_sound(encoders: dict[str, Any]) -> None:
    for encoder in encoders.values():
        waveform = speech(100_000)
        expected = encoder.encode_speech(waveform, 25, 20)
        got = torch.cat(list(encoder.stream_speech(SpeechInMemory(waveform), 25, 20)))
        torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-3)


class Watched(SpeechInMemory):
    """Remembers the longest stretch that was read at once."""

    longest = 0

    def read(self, start: int, stop: int) -> torch.Tensor:
        self.longest = max(self.longest, stop - start)
        return super().read(start, stop)


def test_no_long_stretch_is_read_at_once(encoders: dict[str, Any]) -> None:
    for encoder in encoders.values():
        source = Watched(speech(16000 * 40))
        for _ in encoder.stream_speech(source, 25, 1000):
            pass
        assert source.longest < 16000 * 12
