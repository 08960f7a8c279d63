"""What a render computes by itself, because importing librosa takes seconds, is what librosa computes."""

from __future__ import annotations

import math
from typing import Literal

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from eadnet.captions.loudness import speech_gain
from eadnet.media.audio import to_mono_16k
from eadnet.media.features import (
    _orthonormal_dct,
    latentsync_mel,
    mel_power,
    slaney_filterbank,
    whisper_log_mel,
)
from eadnet.media.silence import speech_gate
from eadnet.media.speech import SpeechInMemory
from tests.golden_weights import load_golden
from tests.quick import examples

pytestmark = pytest.mark.slow  # importing librosa takes seconds, compiling for it more

RATE = 16000


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    return load_golden("whisper_features.safetensors")["waveform"]


@examples(25)
@given(
    n_fft=st.sampled_from([400, 512, 800, 1024, 2048]),
    n_mels=st.integers(8, 128),
    low=st.floats(0.0, 300.0),
    high=st.floats(3000.0, 8000.0),
)
def test_mel_filters(n_fft: int, n_mels: int, low: float, high: float) -> None:
    expected = librosa.filters.mel(sr=RATE, n_fft=n_fft, n_mels=n_mels, fmin=low, fmax=high, dtype=np.float64)
    np.testing.assert_allclose(slaney_filterbank(n_fft, n_mels, low, high).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_mel_power(speech: torch.Tensor, pad_mode: Literal["reflect", "constant"]) -> None:
    expected = librosa.feature.melspectrogram(
        y=speech.numpy(), sr=RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode=pad_mode
    )
    found = mel_power(speech, pad_mode).numpy()
    np.testing.assert_allclose(found, expected[:, : found.shape[1]], rtol=1e-3, atol=1e-6)


def test_whispers_log_mel(speech: torch.Tensor) -> None:
    power = librosa.feature.melspectrogram(
        y=speech.numpy(), sr=RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect"
    )
    found = whisper_log_mel(speech).numpy()
    decades = np.log10(np.maximum(power[:, : found.shape[1]], 1e-10))
    expected = (np.maximum(decades, decades.max() - 8) + 4) / 4
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_latentsyncs_mel(speech: torch.Tensor) -> None:
    samples = speech.double().numpy()
    emphasised = librosa.effects.preemphasis(samples, coef=0.97, zi=[0.0])
    spectrum = np.abs(librosa.stft(emphasised, n_fft=800, hop_length=200, pad_mode="constant"))
    mel = librosa.filters.mel(sr=RATE, n_fft=800, n_mels=80, fmin=55, fmax=7600, dtype=np.float64) @ spectrum
    decibel = librosa.amplitude_to_db(mel, ref=1.0, amin=1e-5, top_db=None) - 20
    expected = np.clip(8 * (decibel + 100) / 100 - 4, -4, 4)
    np.testing.assert_allclose(latentsync_mel(speech).numpy(), expected, atol=1e-4)


@given(size=st.integers(2, 64), rows=st.integers(1, 64))
def test_the_cosine_transform_is_scipys(size: int, rows: int) -> None:
    rows = min(rows, size)
    expected = dct(np.eye(size), type=2, norm="ortho", axis=0)[:rows]
    np.testing.assert_allclose(_orthonormal_dct(size, rows).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling(speech: torch.Tensor, rate: int) -> None:
    """Both filters agree far above the noise of speech; they differ near the highest frequency only."""
    sound = librosa.resample(speech.numpy(), orig_sr=RATE, target_sr=rate, res_type="soxr_vhq")
    expected = librosa.resample(sound, orig_sr=rate, target_sr=RATE, res_type="soxr_vhq")
    found = to_mono_16k(torch.from_numpy(sound), rate).numpy()
    assert found.shape == expected.shape
    error = np.sqrt(np.mean((found - expected)[800:-800] ** 2) / np.mean(expected[800:-800] ** 2))
    assert 20 * math.log10(error) < -30


def voices(*levels: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.cat([level * torch.randn(RATE, generator=generator) for level in levels])


def test_the_timelines_loudness_rises_and_falls_with_the_energy() -> None:
    sound = voices(0.02, 0.2, 0.05, 0.1, 0.02)
    rms = librosa.feature.rms(y=sound.numpy(), frame_length=1280, hop_length=640)[0][:125]
    gain = speech_gain(sound, RATE, 125, 25)
    middle = [37, 62, 87]  # of the seconds in between: the quiet ends are both 0
    assert (np.argsort(gain[middle]) == np.argsort(rms[middle])).all()
    assert np.corrcoef(gain, np.log(rms))[0, 1] > 0.8, "the gain is smoothed over phrases"


def test_the_silence_gate_is_open_wherever_librosa_hears_speech() -> None:
    sound = voices(0.0, 0.2, 0.0, 0.1, 0.0)
    gate = speech_gate(SpeechInMemory(sound), 25, 125).numpy()
    spoken = np.zeros(len(sound), bool)
    for start, stop in librosa.effects.split(sound.numpy(), top_db=30, frame_length=320, hop_length=160):
        spoken[start:stop] = True
    heard = spoken.reshape(125, 640).mean(axis=1)
    assert (gate[heard == 1] == 1).all()
    far = np.convolve(heard, np.ones(25), "same") == 0  # half a second from any speech
    assert far.any() and (gate[far] == 0).all()
