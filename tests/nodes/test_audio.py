from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]
Speech = Callable[..., dict[str, Any]]


@pytest.fixture
def encode(nodes: Any, run: Run, loaded: Any) -> Callable[..., tuple[Any, int]]:
    """Encodes an AUDIO with the small checkpoint's encoder."""

    def call(audio: Any, fps: float = 25.0) -> tuple[Any, int]:
        encoded, frames = run(
            nodes.EADNetAudioEncode, audio_encoder=loaded.audio_encoder, audio=audio, fps=fps
        )
        return encoded, frames

    return call


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(0.5, 25, 13), (0.41, 25, 10), (1.0, 29.97, 30), (0.5, 5, 3)]
)
def test_frames_are_duration_times_fps_rounded(
    encode: Callable[..., tuple[Any, int]], speech: Speech, seconds: float, fps: float, frames: int
) -> None:
    encoded, count = encode(speech(seconds), fps)
    assert count == frames
    assert encoded.tokens.shape == (frames, 10, 8)
    assert encoded.fps == fps


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48000, 2), (44100, 6)])
def test_any_rate_and_number_of_channels(
    encode: Callable[..., tuple[Any, int]], speech: Speech, rate: int, channels: int
) -> None:
    encoded, count = encode(speech(0.6, rate, channels))
    assert count == 15 and torch.isfinite(encoded.tokens).all()


def test_silence_is_allowed_and_said(
    encode: Callable[..., tuple[Any, int]], caplog: pytest.LogCaptureFixture
) -> None:
    encoded, count = encode({"waveform": torch.zeros(1, 1, 16000), "sample_rate": 16000})
    assert count == 25 and torch.isfinite(encoded.tokens).all()
    assert "silent" in caplog.text


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (None, "no audio track"),
        ({"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000}, "no samples"),
        ({"waveform": torch.full((1, 1, 16000), torch.nan), "sample_rate": 16000}, "NaN"),
        ({"waveform": torch.ones(1, 1, 100), "sample_rate": 16000}, "less than half a frame"),
        ({"waveform": torch.ones(3, 1, 16000), "sample_rate": 16000}, "batch of 3"),
    ],
)
def test_sound_that_cannot_be_used_is_named(
    encode: Callable[..., tuple[Any, int]], input_error: type[Exception], audio: Any, message: str
) -> None:
    with pytest.raises(input_error, match=message):
        encode(audio)
