"""The weak lip-sync meter tells a mouth that follows the voice from one that does not."""

from __future__ import annotations

import math

import pytest
import torch

from eadnet.errors import InputError
from eadnet.metrics.mouth import correlation, lag_curve, mouth_opening_from_pixels, speech_envelope


def talking_face(opening: torch.Tensor, light: float = 1.0, size: int = 64) -> torch.Tensor:
    """A skin-coloured square with red lips and, inside them, a dark ellipse as tall as the mouth is open."""
    y, x = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    frames = torch.tensor([0.8, 0.6, 0.5]).expand(len(opening), size, size, 3).clone()
    for frame, height in zip(frames, opening.tolist(), strict=True):
        radius = ((x - 0.5) / 0.1) ** 2 + ((y - 0.75) / (0.09 * height + 0.02)) ** 2
        frame[radius < 1.5] = torch.tensor([0.7, 0.35, 0.35])
        if height > 0:
            frame[((x - 0.5) / 0.1) ** 2 + ((y - 0.75) / (0.09 * height)) ** 2 < 1] = 0.1
    return frames * light


def voice(loudness: torch.Tensor, fps: int = 25, rate: int = 16000) -> torch.Tensor:
    samples = loudness.repeat_interleave(rate // fps)
    return samples * torch.sin(2 * math.pi * 200 * torch.arange(samples.numel()) / rate)


@pytest.fixture
def syllables() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(20, generator=generator).repeat_interleave(4)


def test_a_mouth_that_follows_the_voice_correlates_at_lag_zero(syllables: torch.Tensor) -> None:
    loudness = speech_envelope(voice(syllables), 16000, 80, 25)
    curve = lag_curve(mouth_opening_from_pixels(talking_face(syllables)), loudness, 10)
    assert curve.best_lag == 0 and curve.best > 0.8


def test_a_mouth_that_does_not_follow_does_not(syllables: torch.Tensor) -> None:
    loudness = speech_envelope(voice(syllables), 16000, 80, 25)
    other = syllables[torch.randperm(80, generator=torch.Generator().manual_seed(1))]
    assert abs(correlation(mouth_opening_from_pixels(talking_face(other)), loudness)) < 0.3
    assert correlation(mouth_opening_from_pixels(talking_face(torch.full((80,), 0.5))), loudness) == 0.0


def test_opening_grows_with_the_mouth_and_ignores_the_light() -> None:
    steps = torch.linspace(0, 1, 6)
    bright, dim = (mouth_opening_from_pixels(talking_face(steps, light)) for light in (1.0, 0.4))
    assert bright[0] == 0.0 and (bright.diff() > 0).all()
    torch.testing.assert_close(bright, dim, atol=1e-5, rtol=1e-4)


def test_bytes_and_floats_give_the_same_opening() -> None:
    frames = talking_face(torch.tensor([0.3, 0.9]))
    torch.testing.assert_close(
        mouth_opening_from_pixels((frames * 255).round().to(torch.uint8)),
        mouth_opening_from_pixels(frames),
        atol=0.01,
        rtol=0,
    )


def test_a_black_picture_is_a_number() -> None:
    assert mouth_opening_from_pixels(torch.zeros(2, 8, 8, 3)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("frames", "box"),
    [
        (torch.zeros(2, 3, 8, 8), None),
        (torch.zeros(8, 8, 3), None),
        (torch.zeros(1, 8, 8, 3), (0.5, 0.5, 0.5, 0.6)),
    ],
)
def test_pictures_without_a_mouth_box_are_refused(
    frames: torch.Tensor, box: tuple[float, float, float, float] | None
) -> None:
    with pytest.raises(InputError):
        mouth_opening_from_pixels(frames, box)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 60])
def test_the_envelope_follows_the_clock_at_any_rate(fps: float) -> None:
    sound = torch.zeros(48000)
    sound[24000:26400] = 0.5  # 50 ms, half a second into one second at 48 kHz
    envelope = speech_envelope(sound, 48000, round(fps), fps)
    assert int(envelope.argmax()) == pytest.approx(0.525 * fps - 0.5, abs=1.0)


def test_the_envelope_of_silence_and_of_missing_sound_is_zero() -> None:
    assert not speech_envelope(torch.zeros(16000), 16000, 25, 25).any()
    envelope = speech_envelope(torch.ones(8000), 16000, 25, 25)
    assert envelope[:11].min() > 0.5 and not envelope[15:].any()


@pytest.mark.parametrize(
    ("waveform", "rate", "fps"),
    [
        (torch.zeros(0), 16000, 25),
        (torch.full((9,), math.nan), 16000, 25),
        (torch.zeros(2, 9), 16000, 25),
        (torch.zeros(9), 16000, 0),
        (torch.zeros(9), 0, 25),
    ],
)
def test_unusable_sound_is_refused(waveform: torch.Tensor, rate: int, fps: float) -> None:
    with pytest.raises(InputError):
        speech_envelope(waveform, rate, 5, fps)


def test_correlation_is_pearsons_and_never_nan() -> None:
    a = torch.randn(50, generator=torch.Generator().manual_seed(2))
    assert correlation(a, 3 * a + 1) == pytest.approx(1.0)
    assert correlation(a, -a) == pytest.approx(-1.0)
    expected = float(torch.corrcoef(torch.stack([a, a.roll(1)]))[0, 1])
    assert correlation(a, a.roll(1)) == pytest.approx(expected, abs=1e-6)
    for degenerate in (torch.full((50,), 0.1), torch.zeros(50), torch.full((50,), math.nan)):
        assert correlation(a, degenerate) == 0.0
    assert correlation(a[:2], a[:2]) == 0.0 and correlation(a[:0], a[:0]) == 0.0
    with pytest.raises(InputError):
        correlation(a, a[1:])


@pytest.mark.parametrize("late", [-6, -1, 0, 3])
def test_the_best_lag_is_positive_where_the_second_series_is_late(late: int) -> None:
    a = torch.randn(60, generator=torch.Generator().manual_seed(3))
    curve = lag_curve(a, a.roll(late), 8)
    assert curve.best_lag == late and curve.lags.tolist() == list(range(-8, 9))


def test_constant_series_have_lag_zero() -> None:
    curve = lag_curve(torch.ones(20), torch.ones(20), 30)
    assert curve.best_lag == 0 and curve.best == 0.0 and not curve.correlations.any()
    with pytest.raises(InputError):
        lag_curve(torch.ones(5), torch.ones(5), -1)
