from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
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
    assert "No speech was found in the recording (it is silent)" in caplog.text


@pytest.mark.parametrize(
    ("waveform", "note"),
    [
        (torch.zeros(1, 1, 16000), "No speech was found in the recording (it is silent)"),
        (torch.full((1, 1, 16000), 0.05), "No speech was found in the recording (only noise"),
        (torch.randn(1, 1, 48000) * 0.01, "No speech was found in the recording (only noise"),
    ],
    ids=["silence", "an offset", "hiss"],
)
def test_what_is_wrong_with_the_sound_is_said_in_the_node(
    nodes: Any, loaded: Any, waveform: torch.Tensor, note: str
) -> None:
    output = nodes.EADNetAudioEncode.PREPARE_CLASS_CLONE({}).EXECUTE_NORMALIZED(
        audio_encoder=loaded.audio_encoder, audio={"waveform": waveform, "sample_rate": 16000}, fps=25.0
    )
    assert output.ui["text"][0].startswith(note)


def test_an_inverted_channel_is_heard_and_said(
    encode: Callable[..., tuple[Any, int]], speech: Speech, caplog: pytest.LogCaptureFixture
) -> None:
    one = speech(1.0)["waveform"]
    inverted = {"waveform": torch.cat([one, -one], dim=1), "sample_rate": 16000}
    encoded, _ = encode(inverted)
    assert "Channel 2 of the recording is inverted" in caplog.text
    expected, _ = encode({"waveform": one, "sample_rate": 16000})
    assert torch.allclose(encoded.tokens, expected.tokens, atol=1e-4)


AS_SENT: dict[str, Callable[[torch.Tensor], Any]] = {
    "numbers of other libraries": lambda x: {"waveform": x.numpy(), "sample_rate": np.float32(16000)},
    "a tensor for the rate": lambda x: {"waveform": x, "sample_rate": torch.tensor(16000)},
    "samples with a gradient": lambda x: {"waveform": x.clone().requires_grad_(), "sample_rate": 16000.0},
    "no batch": lambda x: {"waveform": x[0], "sample_rate": "16000"},
    "one axis": lambda x: {"waveform": x[0, 0], "sample_rate": 16000},
    "floats in the range of 16 bits": lambda x: {"waveform": x * 32768, "sample_rate": 16000},
    "double precision and other keys": lambda x: {"waveform": x.double(), "sample_rate": 16000, "path": "a"},
}


@pytest.mark.parametrize("sent", AS_SENT)
def test_audio_is_the_same_however_other_packs_send_it(
    encode: Callable[..., tuple[Any, int]], speech: Speech, sent: str
) -> None:
    audio = speech(0.5)
    expected, _ = encode(audio)
    encoded, _ = encode(AS_SENT[sent](audio["waveform"]))
    assert torch.allclose(encoded.tokens, expected.tokens, atol=1e-5)


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
