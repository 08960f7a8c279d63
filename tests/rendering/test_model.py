"""A checkpoint's networks together, and the tokens of its sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from eadnet.checkpoints import save_checkpoint
from eadnet.errors import CheckpointError
from eadnet.presets import PRESETS
from eadnet.rendering import Model, load_model
from tests.tiny import RESOLUTION, tiny_components, write_tiny_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


def without(path: Path, *parts: str) -> Path:
    """The tiny checkpoint without some of its parts."""
    components = {name: module for name, module in tiny_components().items() if name not in parts}
    save_checkpoint(path, components, {**PRESETS["mini"].info(), "resolution": RESOLUTION})
    return path


def test_an_empty_sentence_is_the_null_emotion(model: Model) -> None:
    emotion, null = model.encode_emotion("  ")
    assert emotion is None and null is not None and null.shape == (8, 12)
    emotion, null = model.encode_emotion("furious")
    assert emotion is not None and null is not None and not torch.equal(emotion, null)


def test_ready_tokens_are_taken_as_they_are(model: Model) -> None:
    tokens = torch.rand(5, 8, 12)
    emotion, null = model.encode_emotion(tokens)
    assert emotion is tokens and null is not None and null.shape == (8, 12)


def test_a_model_without_text_encoder_says_that_it_leaves_the_sentence_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = load_model(without(tmp_path / "plain.safetensors", "text_encoder"))
    assert plain.encode_emotion("") == (None, None) and not caplog.text
    assert plain.encode_emotion("furious") == (None, None) and "has no emotion attention" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("part", ["unet", "vae", "audio_encoder"])
def test_a_checkpoint_without_a_needed_part_says_how_to_give_it(tmp_path: Path, part: str) -> None:
    path = without(tmp_path / "part.safetensors", part)
    with pytest.raises(CheckpointError, match=f"part.safetensors has no {part}: give one with --"):
        load_model(path)


@pytest.mark.slow
def test_a_missing_part_can_come_from_another_file(tmp_path: Path) -> None:
    path = without(tmp_path / "plain.safetensors", "audio_encoder")
    other = without(tmp_path / "whisper.safetensors", "unet", "vae")
    assert load_model(path, audio_encoder=other).audio_encoder is not None


def test_crops_go_through_the_autoencoder_and_back_on_the_processor(model: Model) -> None:
    networks = model.networks()
    crops = torch.rand(3, 3, RESOLUTION, RESOLUTION) * 2 - 1
    with torch.no_grad():
        latents = networks.encode(crops)
        assert latents.shape == (3, 4, RESOLUTION // 8, RESOLUTION // 8)
        assert networks.decode(latents).shape == crops.shape


@pytest.mark.slow
def test_a_model_that_moves_portraits_draws_none() -> None:
    with pytest.raises(CheckpointError, match="moves portraits and draws no face"):
        load_model("motion")


def test_half_precision_is_the_vaes_too_and_its_results_are_float32(tmp_path: Path) -> None:
    model = load_model(write_tiny_checkpoint(tmp_path / "half.safetensors")).to("cpu", torch.bfloat16)
    assert {next(part.parameters()).dtype for part in (model.unet, model.vae)} == {torch.bfloat16}
    latents = model.networks().encode(torch.zeros(1, 3, RESOLUTION, RESOLUTION))
    assert latents.dtype == torch.float32
