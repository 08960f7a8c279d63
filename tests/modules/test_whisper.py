"""Whisper's encoder: published keys and numbers, and no seam every 30 seconds."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from eadnet.errors import InputError
from eadnet.media.features import whisper_log_mel
from eadnet.modules.whisper import WhisperEncoder, chunk_starts, handover_weights
from tests.golden_weights import fill, load_golden

TINY48 = {"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 48, "n_audio_head": 3, "n_audio_layer": 4}


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    model = WhisperEncoder.from_config(TINY48)
    fill(model, "whisper-tiny")
    return model


@pytest.fixture(scope="module")
def small() -> WhisperEncoder:
    """Chunks of 30 s in a network too small to be slow."""
    torch.manual_seed(0)
    return WhisperEncoder(n_audio_state=8, n_audio_head=1, n_audio_layer=1).eval()


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    return load_golden("whisper_features.safetensors")["waveform"]


@pytest.fixture(scope="module")
def long_mel(speech: torch.Tensor) -> torch.Tensor:
    """65 s in which no two moments are alike."""
    seconds = torch.arange(65 * 16000) / 16000
    return whisper_log_mel(speech.repeat(17)[: 65 * 16000] * (1 + 0.5 * torch.sin(0.7 * seconds)))


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).norm() / reference.norm())


def cut_every_30_seconds(encoder: WhisperEncoder, mel: torch.Tensor) -> torch.Tensor:
    parts = []
    for start in range(0, mel.shape[1], 3000):
        piece = mel[:, start : start + 3000]
        rows = encoder(functional.pad(piece, (0, 3000 - piece.shape[1]))[None])[0]
        parts.append(rows[: piece.shape[1] // 2])
    return torch.cat(parts)


def test_keys_and_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = WhisperEncoder.from_config(TINY48)
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert shapes == load_golden("whisper_encoder_tiny48.keys.json")


@torch.no_grad()
def test_all_layers_equal_the_published_ones(encoder: WhisperEncoder, speech: torch.Tensor) -> None:
    golden = load_golden("whisper_features.safetensors")
    layers = encoder(whisper_log_mel(speech, pad_to_30s=True)[None])[0, :200]
    assert layers.shape == (200, 5, 48)
    assert relative_error(layers[:40], golden["features_head"]) < 1e-5
    assert relative_error(layers.mean((1, 2)), golden["features_mean"]) < 1e-5


def test_tokens_per_video_frame_equal_the_published_ones(
    encoder: WhisperEncoder, speech: torch.Tensor
) -> None:
    tokens = encoder.encode_speech(speech, 25, 100)
    assert tokens.shape == (100, 50, 48)
    assert relative_error(tokens[:3], load_golden("whisper_features.safetensors")["chunks_first3"]) < 1e-5


@pytest.mark.parametrize("seconds", [29.9, 30.0, 30.1, 61.0])
def test_every_length_gives_exactly_the_frames_asked_for(small: WhisperEncoder, seconds: float) -> None:
    frames = round(seconds * 25)
    tokens = small.encode_speech(torch.randn(round(seconds * 16000)), 25, frames)
    assert tokens.shape == (frames, 20, 8) and torch.isfinite(tokens).all()


def test_up_to_30_seconds_nothing_differs_from_one_chunk(small: WhisperEncoder) -> None:
    mel = torch.randn(80, 2999)
    expected = small(functional.pad(mel, (0, 1))[None])[0, :1499]
    assert torch.equal(small.encode_rows(mel), expected)


@pytest.mark.parametrize("frames", [1, 3000, 3001, 3050, 6101])
def test_two_mel_frames_make_one_row_at_any_length(small: WhisperEncoder, frames: int) -> None:
    assert small.encode_rows(torch.randn(80, frames)).shape == (frames // 2, 2, 8)


@pytest.mark.slow
@torch.no_grad()
def test_features_do_not_jump_at_30_seconds(encoder: WhisperEncoder, long_mel: torch.Tensor) -> None:
    def steps(rows: torch.Tensor) -> torch.Tensor:
        return rows.diff(dim=0).flatten(1).norm(dim=1)

    ours, cut = steps(encoder.encode_rows(long_mel)), steps(cut_every_30_seconds(encoder, long_mel))
    assert cut[1499] > 3 * cut.median(), "the signal does not show the seam this test is about"
    assert ours.max() < 2 * ours.median()


@pytest.mark.slow
@torch.no_grad()
def test_features_near_a_border_hear_what_lies_beyond_it(
    encoder: WhisperEncoder, long_mel: torch.Tensor
) -> None:
    """The same sound, chunked 7 s later, gives the same rows once the position in the chunk is taken out."""
    placeless = WhisperEncoder.from_config(TINY48)
    placeless.load_state_dict(encoder.state_dict())
    placeless.positional_embedding.zero_()

    def disagreement(first: torch.Tensor, second: torch.Tensor) -> float:
        return float(((first[350:] - second).flatten(1).norm(dim=1) / second.flatten(1).norm(dim=1)).max())

    later = long_mel[:, 700:]
    ours = disagreement(placeless.encode_rows(long_mel), placeless.encode_rows(later))
    cut = disagreement(cut_every_30_seconds(placeless, long_mel), cut_every_30_seconds(placeless, later))
    assert ours < 0.2 * cut


@pytest.mark.parametrize("rows", [1, 1500, 1501, 1505, 2500, 2501, 3050, 90_001])
def test_chunks_cover_everything_and_hand_over_smoothly(rows: int) -> None:
    whole = max(rows, 1500)
    starts = chunk_starts(whole, 1500)
    assert starts[0] == 0 and starts[-1] == whole - 1500
    total = torch.zeros(whole, dtype=torch.float64)
    for start, weight in zip(starts, handover_weights(starts, 1500), strict=True):
        total[start : start + 1500] += weight
        # Rows within 2 s of the edge of a chunk count only where the recording itself ends.
        assert start == 0 or not weight[:100].any()
        assert start == starts[-1] or not weight[-100:].any()
    torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize(
    ("samples", "fps", "frames"), [(1, 25, 1), (16000, 25, 50), (16000, 29.97, 30), (50, 24, 0)]
)
def test_short_sound_is_followed_by_silence(
    small: WhisperEncoder, samples: int, fps: float, frames: int
) -> None:
    tokens = small.encode_speech(0.1 * torch.randn(samples), fps, frames)
    assert tokens.shape == (frames, 20, 8) and torch.isfinite(tokens).all()


@pytest.mark.parametrize(
    ("waveform", "fps"),
    [
        (torch.zeros(0), 25),
        (torch.full((100,), math.nan), 25),
        (torch.zeros(2, 100), 25),
        (torch.zeros(100), 0),
    ],
)
def test_unusable_input_is_refused(small: WhisperEncoder, waveform: torch.Tensor, fps: float) -> None:
    with pytest.raises(InputError):
        small.encode_speech(waveform, fps, 5)
