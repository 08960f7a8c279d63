"""Spectral features equal those of the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eadnet.media.features import (
    int16_scaled,
    latentsync_mel,
    mel_power,
    mfcc,
    slaney_filterbank,
    whisper_log_mel,
)
from tests.golden_weights import load_golden


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).norm() / reference.norm())


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    return load_golden("whisper_features.safetensors")["waveform"]


def test_log_mel_equals_whispers(speech: torch.Tensor) -> None:
    reference = load_golden("whisper_features.safetensors")["log_mel"]
    assert relative_error(whisper_log_mel(speech), reference) < 1e-5


def test_latentsync_mel_equals_the_published_one(speech: torch.Tensor) -> None:
    reference = load_golden("syncnet_v2.safetensors")["latentsync_mel"]
    assert relative_error(latentsync_mel(speech), reference) < 1e-5


def test_mfcc_equals_the_published_ones(speech: torch.Tensor) -> None:
    reference = load_golden("syncnet_v2.safetensors")["mfcc"]
    sixteen_bit = (speech * 32767).to(torch.int16)
    assert relative_error(mfcc(sixteen_bit), reference) < 1e-5


def test_int16_scaling_gives_back_the_numbers_of_a_wav_file() -> None:
    numbers = torch.tensor([-32768, -1, 0, 1, 32767])
    assert int16_scaled(numbers / 32768.0).tolist() == numbers.tolist()
    assert int16_scaled(torch.tensor([-1.5, 1.5])).tolist() == [-32768, 32767]


def test_padding_to_30_seconds_appends_zeros_and_never_cuts() -> None:
    short, long = torch.randn(16000), torch.randn(31 * 16000)
    padded = whisper_log_mel(short, pad_to_30s=True)
    assert padded.shape == (80, 3000) and not padded[:, 100:].any()
    assert torch.equal(padded[:, :100], whisper_log_mel(short))
    assert whisper_log_mel(long, pad_to_30s=True).shape == (80, 3100)


def test_each_recording_of_a_batch_has_its_own_loudest_value() -> None:
    loud, quiet = torch.randn(16000), 1e-3 * torch.randn(16000)
    batch = whisper_log_mel(torch.stack([loud, quiet]))
    torch.testing.assert_close(batch[0], whisper_log_mel(loud))
    torch.testing.assert_close(batch[1], whisper_log_mel(quiet))


@pytest.mark.parametrize("samples", [1, 159, 399, 400, 401])
def test_the_shortest_recordings_have_features(samples: int) -> None:
    sound = torch.randn(samples).clamp(-1, 1)
    for features in (whisper_log_mel(sound), latentsync_mel(sound), mfcc(int16_scaled(sound))):
        assert features.numel() > 0 and torch.isfinite(features).all()


def test_silence_has_finite_features() -> None:
    silence = torch.zeros(8000)
    for features in (whisper_log_mel(silence), latentsync_mel(silence), mfcc(silence)):
        assert torch.isfinite(features).all()


def test_frames_are_centred_on_every_160th_sample() -> None:
    click = torch.zeros(16000)
    click[160 * 50] = 1.0
    assert int(mel_power(click).sum(0).argmax()) == 50


def test_long_sound_is_transformed_in_parts_that_show_no_seam() -> None:
    sound = torch.randn(62 * 16000, generator=torch.Generator().manual_seed(0))
    whole = mel_power(sound, "constant")
    assert whole.shape == (80, 6200)
    for seam in (3000, 6000):
        around = mel_power(sound[(seam - 100) * 160 : (seam + 100) * 160], "constant")
        torch.testing.assert_close(whole[:, seam - 20 : seam + 20], around[:, 80:120])


@pytest.mark.slow
@pytest.mark.parametrize(("n_fft", "n_mels", "low", "high"), [(400, 80, 0, 8000), (4096, 40, 55, 7600)])
def test_mel_filters_are_librosas(n_fft: int, n_mels: int, low: float, high: float) -> None:
    """Triangles of unit area on Slaney's scale."""
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(
        sr=16000, n_fft=n_fft, n_mels=n_mels, fmin=low, fmax=high, dtype=np.float64
    )
    np.testing.assert_allclose(slaney_filterbank(n_fft, n_mels, low, high), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_mel_power_is_librosas_without_the_last_frame(speech: torch.Tensor, pad_mode: str) -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.feature.melspectrogram(
        y=speech.numpy(), sr=16000, n_fft=400, hop_length=160, n_mels=80, pad_mode=pad_mode
    )
    assert relative_error(mel_power(speech, pad_mode), torch.from_numpy(expected[:, :-1])) < 1e-5
