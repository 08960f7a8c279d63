"""Recordings of any kind become 16 kHz mono, or one clear sentence."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import load_audio, mono, num_frames, to_mono_16k
from tests.media_files import Track, black, write_media


def tone(hertz: float, seconds: float, rate: int) -> torch.Tensor:
    return torch.sin(
        2 * math.pi * hertz * torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    ).float()


def write(
    path: Path, channels: np.ndarray, rate: int, codec: str, layout: str, delay: float | None = None
) -> Path:
    """A sound file; with `delay`, a video whose sound starts that many seconds after its picture."""
    pictures = black(0 if delay is None else 5)
    return write_media(path, pictures, [Track(channels, rate, codec, layout, delay or 0.0)])


class TestToMono16k:
    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 44099])
    def test_any_rate_keeps_the_sound(self, rate: int) -> None:
        result = to_mono_16k(tone(440, 0.5, rate), rate)
        expected = tone(440, 0.5, 16000)
        assert abs(result.numel() - 8000) <= 1
        inner = slice(400, 7600)  # a resampling filter rings at the ends
        assert (result[inner] - expected[inner]).abs().max() < 0.01

    @pytest.mark.slow
    @pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
    def test_speech_is_resampled_as_by_librosa(self, rate: int) -> None:
        """Sound up to 3 kHz, which both filters let pass whole."""
        librosa = pytest.importorskip("librosa")
        noise = np.random.default_rng(0).normal(size=rate)
        spectrum = np.fft.rfft(noise)
        spectrum[np.fft.rfftfreq(rate, 1 / rate) > 3000] = 0
        sound = np.fft.irfft(spectrum, rate).astype(np.float32)
        expected = librosa.resample(sound, orig_sr=rate, target_sr=16000)
        result = to_mono_16k(torch.from_numpy(sound), rate).numpy()
        assert np.abs(result - expected)[400:-400].max() < 0.01 * np.abs(expected).max()

    def test_what_16_khz_cannot_hold_is_removed_not_folded_down(self) -> None:
        assert to_mono_16k(tone(12000, 0.5, 48000), 48000)[400:-400].abs().max() < 0.01

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 8])
    def test_the_same_sound_on_all_channels_is_that_sound(self, channels: int) -> None:
        sound = tone(300, 0.1, 16000)
        torch.testing.assert_close(to_mono_16k(sound.repeat(channels, 1), 16000), sound)

    def test_stereo_is_averaged(self) -> None:
        left, right = torch.rand(100), torch.rand(100)
        torch.testing.assert_close(mono(torch.stack([left, right])), (left + right) / 2)

    def test_surround_hears_the_centre_best_and_never_the_subwoofer(self) -> None:
        heard = [float(mono(torch.eye(6)[:, channel : channel + 1])) for channel in range(6)]
        assert heard[2] == max(heard) and heard[3] == 0.0 and min(heard[:3]) > 0.0

    def test_a_comfyui_batch_of_one_is_accepted(self) -> None:
        assert to_mono_16k(torch.zeros(1, 2, 480), 48000).shape == (160,)

    def test_half_precision_and_silence_are_allowed(self) -> None:
        result = to_mono_16k(torch.zeros(2, 4800, dtype=torch.float16), 48000)
        assert result.dtype == torch.float32 and not result.any()

    @pytest.mark.parametrize(
        ("waveform", "rate", "says"),
        [
            (torch.zeros(0), 16000, "no samples"),
            (torch.zeros(2, 0), 16000, "no samples"),
            (torch.tensor([0.0, math.nan]), 16000, "NaN"),
            (torch.tensor([0.0, math.inf]), 16000, "infinite"),
            (torch.zeros(2, 1, 10), 16000, "one at a time"),
            (torch.zeros(10), 0, "sample rate"),
            (torch.zeros(10), -8000, "sample rate"),
            (torch.zeros(10, dtype=torch.int16), 16000, "floating-point"),
        ],
    )
    def test_unusable_sound_is_refused_in_one_sentence(
        self, waveform: torch.Tensor, rate: int, says: str
    ) -> None:
        with pytest.raises(InputError, match=says):
            to_mono_16k(waveform, rate)


class TestNumFrames:
    @pytest.mark.parametrize(
        ("seconds", "fps", "frames"),
        [
            (0, 25, 0),
            (0.58, 25, 15),  # 14.499999999999998 in floating point
            (1, 25, 25),
            (0.02, 25, 1),
            (0.0199, 25, 0),
            (0.3, 5, 2),
            (10, Fraction(30000, 1001), 300),
        ],
    )
    def test_halves_round_up(self, seconds: float, fps: float, frames: int) -> None:
        assert num_frames(seconds, fps) == frames

    @pytest.mark.parametrize(("seconds", "fps"), [(-1, 25), (math.nan, 25), (1, 0), (1, -25), (1, math.inf)])
    def test_impossible_numbers_are_refused(self, seconds: float, fps: float) -> None:
        with pytest.raises(InputError):
            num_frames(seconds, fps)


class TestLoadAudio:
    @pytest.mark.parametrize(
        ("name", "codec", "layout", "rate"),
        [
            ("a.wav", "pcm_s16le", "mono", 8000),
            ("a.wav", "pcm_f32le", "stereo", 48000),
            ("a.flac", "flac", "5.1", 44100),
            ("a.mka", "pcm_s16le", "stereo", 22050),
        ],
    )
    def test_lossless_files_come_back_as_written(
        self, tmp_path: Path, name: str, codec: str, layout: str, rate: int
    ) -> None:
        count = av.AudioLayout(layout).nb_channels
        channels = torch.stack([0.1 * (k + 1) * tone(200 + 50 * k, 0.3, rate) for k in range(count)])
        waveform, read_rate = load_audio(write(tmp_path / name, channels.numpy(), rate, codec, layout))
        assert read_rate == rate and waveform.dtype == torch.float32
        torch.testing.assert_close(waveform, channels, atol=1e-4, rtol=0)

    def test_compressed_sound_of_a_video_is_read(self, tmp_path: Path) -> None:
        sound = tone(440, 1.0, 44100)[None]
        waveform, rate = load_audio(write(tmp_path / "a.mp4", sound.numpy(), 44100, "aac", "mono", delay=0.0))
        assert rate == 44100 and abs(waveform.shape[1] / rate - 1.0) < 0.05
        assert 0.6 < waveform[0, 8000:30000].pow(2).mean().sqrt() < 0.8

    def test_sound_that_starts_after_the_picture_is_preceded_by_silence(self, tmp_path: Path) -> None:
        sound = tone(440, 0.3, 16000)[None]
        waveform, _ = load_audio(
            write(tmp_path / "a.mkv", sound.numpy(), 16000, "pcm_s16le", "mono", delay=0.12)
        )
        assert not waveform[0, :1920].any()
        torch.testing.assert_close(waveform[:, 1920:], sound, atol=1e-4, rtol=0)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"gone\.wav is not a file"):
            load_audio(tmp_path / "gone.wav")

    def test_a_file_that_is_no_sound_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "notes.wav").write_text("this is text")
        with pytest.raises(InputError, match=r"notes\.wav cannot be read"):
            load_audio(tmp_path / "notes.wav")

    def test_a_video_without_sound_is_refused(self, tmp_path: Path) -> None:
        path = write_media(tmp_path / "silent.mp4", black(1))
        with pytest.raises(InputError, match="no audio track"):
            load_audio(path)

    def test_an_empty_sound_track_is_refused(self, tmp_path: Path) -> None:
        path = write_media(tmp_path / "empty.wav", tracks=[Track(np.zeros((1, 0)), 16000)])
        with pytest.raises(InputError, match="empty"):
            load_audio(path)

    def test_a_file_with_nan_samples_is_refused(self, tmp_path: Path) -> None:
        broken = np.zeros((1, 1600), np.float32)
        broken[0, 800] = np.nan
        path = write(tmp_path / "nan.wav", broken, 16000, "pcm_f32le", "mono")
        with pytest.raises(InputError, match="NaN"):
            load_audio(path)


@pytest.mark.parametrize("seconds", [-2.0, -0.25, 0.0, 0.25, 2.0])
def test_moved_sound_keeps_its_length_and_silence_fills_the_gap(seconds: float) -> None:
    from eadnet.media.audio import moved

    sound = torch.arange(1.0, 9.0).expand(1, 2, 8)
    shifted = moved(sound, 8, seconds)
    assert shifted.shape == sound.shape
    steps = round(seconds * 8)
    expected = [float(k - steps) if 1 <= k - steps <= 8 else 0.0 for k in range(1, 9)]
    assert shifted[0, 1].tolist() == expected
