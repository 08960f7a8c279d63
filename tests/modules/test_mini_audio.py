"""The mini speech encoder is local in time and indifferent to loudness, length and pauses."""

from __future__ import annotations

import math

import pytest
import torch

from eadnet.errors import InputError
from eadnet.modules.mini_audio import MiniAudioEncoder
from tests.golden_weights import load_golden


@pytest.fixture(scope="module")
def encoder() -> MiniAudioEncoder:
    torch.manual_seed(0)
    return MiniAudioEncoder.from_config({"n_mels": 80, "width": 32, "dim": 16}).eval()


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    return load_golden("whisper_features.safetensors")["waveform"]


def test_the_configuration_rebuilds_the_same_network(encoder: MiniAudioEncoder) -> None:
    twin = MiniAudioEncoder.from_config(encoder.config)
    twin.load_state_dict(encoder.state_dict())
    mel = torch.randn(1, 80, 40)
    assert torch.equal(twin(mel), encoder(mel))


def test_the_default_has_about_a_third_of_a_million_parameters() -> None:
    count = sum(p.numel() for p in MiniAudioEncoder().parameters())
    assert 250_000 < count < 400_000


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 50, 101])
def test_two_mel_frames_make_one_row(encoder: MiniAudioEncoder, frames: int) -> None:
    assert encoder(torch.randn(2, 80, frames)).shape == (2, frames // 2, 16)


def test_loudness_does_not_matter(encoder: MiniAudioEncoder, speech: torch.Tensor) -> None:
    expected = encoder.encode_speech(speech, 25, 100)
    for gain in (0.25, 4.0):
        torch.testing.assert_close(
            encoder.encode_speech(gain * speech, 25, 100), expected, atol=1e-3, rtol=1e-3
        )


def test_faint_noise_is_not_amplified_to_speech(encoder: MiniAudioEncoder, speech: torch.Tensor) -> None:
    faint = encoder.log_mel(1e-4 * torch.randn(16000))
    assert faint.mean() < 0.5 * encoder.log_mel(speech).amax()
    assert not encoder.log_mel(torch.zeros(16000)).any()


def test_appended_silence_changes_nothing_before_it(encoder: MiniAudioEncoder, speech: torch.Tensor) -> None:
    longer = torch.cat([speech, torch.zeros(64000)])
    before = encoder.encode_speech(speech, 25, 100)
    after = encoder.encode_speech(longer, 25, 100)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_frames_after_the_end_hear_silence(encoder: MiniAudioEncoder, speech: torch.Tensor) -> None:
    tokens = encoder.encode_speech(speech[:16000], 25, 100)
    silence = encoder.encode_speech(torch.zeros(16000), 25, 100)
    torch.testing.assert_close(tokens[40:], silence[40:], atol=1e-5, rtol=1e-4)
    assert (tokens[:25] - silence[:25]).abs().max() > 0.01
    window = encoder.encode_windows(encoder.log_mel(speech[:16000])[None], 25, 16, first_frame=60)[0]
    torch.testing.assert_close(window, silence[60:76], atol=1e-5, rtol=1e-4)


def test_a_row_depends_on_a_third_of_a_second_around_it(encoder: MiniAudioEncoder) -> None:
    mel = torch.randn(1, 80, 400, requires_grad=True)
    encoder(mel)[0, 100].sum().backward()
    assert mel.grad is not None
    heard = mel.grad[0].abs().sum(0).nonzero().flatten()
    assert 30 <= 200 - int(heard.min()) <= 33 and 30 <= int(heard.max()) - 200 <= 33


def test_a_recording_encoded_in_pieces_gives_the_same_rows(encoder: MiniAudioEncoder) -> None:
    mel = torch.randn(1, 80, 400)
    whole, piece = encoder(mel), encoder(mel[..., 100:300])
    torch.testing.assert_close(piece[:, 17:-17], whole[:, 67:133], atol=1e-5, rtol=1e-4)


def test_windows_for_training_equal_inference_and_carry_gradients(
    encoder: MiniAudioEncoder, speech: torch.Tensor
) -> None:
    batch = torch.stack([speech, speech.roll(8000)])
    windows = encoder.encode_windows(encoder.log_mel(batch), 25, 16, first_frame=torch.tensor([10, 40]))
    assert windows.shape == (2, 16, 10, 16)
    expected = encoder.encode_speech(batch[1], 25, 100)[40:56]
    # A whole recording also hears the half window over its end, which moves its level a little.
    torch.testing.assert_close(windows[1], expected, atol=0.01, rtol=0.01)
    assert (windows[1] - windows[0]).abs().max() > 0.1
    windows.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    encoder.zero_grad()


@pytest.mark.parametrize(
    ("samples", "fps", "frames"), [(1, 25, 1), (100, 29.97, 7), (160000, 60, 3), (16000, 0.5, 2)]
)
def test_any_length_and_rate_gives_the_frames_asked_for(
    encoder: MiniAudioEncoder, samples: int, fps: float, frames: int
) -> None:
    tokens = encoder.encode_speech(torch.randn(samples), fps, frames)
    assert tokens.shape == (frames, 10, 16) and torch.isfinite(tokens).all() and not tokens.requires_grad


@pytest.mark.parametrize(
    ("waveform", "fps"),
    [
        (torch.zeros(0), 25),
        (torch.full((100,), math.nan), 25),
        (torch.zeros(2, 100), 25),
        (torch.zeros(100), 0),
    ],
)
def test_unusable_input_is_refused(encoder: MiniAudioEncoder, waveform: torch.Tensor, fps: float) -> None:
    with pytest.raises(InputError):
        encoder.encode_speech(waveform, fps, 5)
