"""Published files into checkpoints: recognised by their tensors, checked strictly, never executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from eadnet.checkpoints import component_class, load_checkpoint, read_info
from eadnet.convert import (
    convert,
    convert_latentsync_unet,
    convert_stable_syncnet,
    convert_syncnet_v2,
    convert_whisper,
    preset_from_name,
)
from eadnet.errors import CheckpointError
from eadnet.presets import LATENTSYNC_UNET, STABLE_SYNCNET, WHISPER_TINY
from eadnet.published import detect
from tests.golden_weights import load_golden

TINY_UNET = load_golden("unet_tiny.config.json")
TINY_SYNCNET = load_golden("stable_syncnet_tiny.config.json")


def shapes(class_name: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Keys and shapes of a network, on no device."""
    with torch.device("meta"):
        return component_class(class_name).from_config(config).state_dict()


def numbers(like: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Tensors of those shapes, each filled with its own number."""
    return {prefix + k: torch.full(v.shape, i % 97 + 1).to(v.dtype) for i, (k, v) in enumerate(like.items())}


def unet_file(path: Path, **state: Tensor) -> Path:
    """A stand-in for latentsync_unet.pt: its names, smaller shapes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {**numbers(shapes("EADUNet", TINY_UNET)), **state}
    torch.save({"global_step": 7, "state_dict": tensors}, path)
    return path


def whisper_file(path: Path, width: int = 384) -> Path:
    config = {**WHISPER_TINY, "n_audio_state": width}
    state = numbers(shapes("WhisperEncoder", config), "encoder.")
    state["decoder.token_embedding.weight"] = torch.zeros(4, width)
    torch.save({"dims": dict(config), "model_state_dict": state}, path)
    return path


@pytest.mark.parametrize(
    ("class_name", "config", "golden"),
    [
        ("EADUNet", LATENTSYNC_UNET, "latentsync_1.5_unet"),
        ("StableSyncNet", STABLE_SYNCNET, "stable_syncnet"),
        ("SyncNetV2", {}, "syncnet_v2"),
    ],
)
def test_published_key_maps_have_nothing_missing_and_nothing_unexpected(
    class_name: str, config: Mapping[str, Any], golden: str
) -> None:
    ours = {key: list(value.shape) for key, value in shapes(class_name, config).items()}
    assert ours == load_golden(f"{golden}.keys.json")


@pytest.mark.slow
@pytest.mark.parametrize(("resolution", "preset"), [(256, "latentsync-1.5"), (512, "latentsync-1.6")])
def test_the_unet_is_converted_with_the_resolution_it_was_trained_at(
    tmp_path: Path, resolution: int, preset: str
) -> None:
    source = unet_file(tmp_path / "latentsync_unet.pt")
    target = tmp_path / "out.safetensors"
    convert_latentsync_unet(source, target, resolution=resolution, config=TINY_UNET, dtype=None)
    loaded = load_checkpoint(target)
    assert (loaded.preset, loaded.resolution, loaded.mask_region) == (preset, resolution, "lower_face")
    assert loaded.scheduler_config["beta_end"] == 0.012
    assert loaded.info["converted_from"] == "latentsync_unet.pt"
    state = loaded.component("unet").state_dict()
    for key, value in numbers(shapes("EADUNet", TINY_UNET)).items():
        assert torch.equal(state[key], value), key


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("LatentSync-1.6/latentsync_unet.pt", "latentsync-1.6"),
        ("LatentSync-1.5/latentsync_unet.pt", "latentsync-1.5"),
        ("x/latentsync_unet_1.6.pt", "latentsync-1.6"),
        ("x/latentsync15_unet.pt", "latentsync-1.5"),
        ("x/latentsync_unet_512.pt", "latentsync-1.6"),
        ("x/unet_256.pt", "latentsync-1.5"),
        ("x/latentsync_unet.pt", None),
        ("x/latentsync_unet_1.5_to_1.6.pt", None),
        ("x/latentsync_unet_2512.pt", None),
    ],
)
def test_a_name_that_states_the_version_is_believed(name: str, preset: str | None) -> None:
    stated = preset_from_name(Path("/models") / name)
    assert (stated.name if stated else None) == preset


@pytest.mark.slow
def test_the_resolution_is_never_guessed(tmp_path: Path) -> None:
    source = unet_file(tmp_path / "x" / "latentsync_unet.pt")
    with pytest.raises(CheckpointError, match="does not say which one this is: set --resolution"):
        convert(source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "settings", "message"),
    [
        ("LatentSync-1.6", {"resolution": 256}, "named as latentsync-1.6 .512 pixels. but latentsync-1.5"),
        ("LatentSync-1.6", {"preset": "latentsync-1.5"}, "named as latentsync-1.6"),
        ("x", {"preset": "latentsync-1.5", "resolution": 512}, "has 256 pixels, not 512"),
        ("x", {"resolution": 128}, "no 128 pixel model"),
        ("x", {"preset": "mini"}, "cannot become mini"),
        ("x", {"preset": "maxi"}, "no preset 'maxi'"),
    ],
)
def test_a_contradiction_is_refused(
    tmp_path: Path, folder: str, settings: dict[str, Any], message: str
) -> None:
    source = unet_file(tmp_path / folder / "latentsync_unet.pt")
    with pytest.raises(CheckpointError, match=message):
        convert(source, **settings)


@pytest.mark.slow
def test_a_unet_of_another_shape_is_refused(tmp_path: Path) -> None:
    source = unet_file(tmp_path / "x" / "latentsync_unet.pt")
    with pytest.raises(CheckpointError, match="latentsync_unet.pt has .* where .* is needed"):
        convert(source, resolution=256)  # the stand-in is not the published size
    other = unet_file(tmp_path / "y" / "u.pt", **{"audio_projection.weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="has the unknown audio_projection.weight"):
        convert_latentsync_unet(other, tmp_path / "o.safetensors", resolution=256, config=TINY_UNET)
    assert not (tmp_path / "o.safetensors").exists()


@pytest.mark.slow
def test_wrappers_of_training_scripts_are_looked_through(tmp_path: Path) -> None:
    tensors = numbers(shapes("EADUNet", TINY_UNET), "module.")
    torch.save(tensors, tmp_path / "a.pt")
    published = detect(tmp_path / "a.pt")
    assert published.kind == "latentsync_unet" and "conv_in.weight" in published.tensors


def test_whisper_tiny_keeps_its_encoder_only(tmp_path: Path) -> None:
    target = convert(whisper_file(tmp_path / "tiny.pt"))
    assert target == tmp_path / "whisper-tiny.safetensors"
    encoder = load_checkpoint(target).component("audio_encoder")
    assert encoder.config["n_audio_state"] == 384
    expected = numbers(shapes("WhisperEncoder", WHISPER_TINY))["blocks.3.mlp.2.weight"]
    assert torch.equal(encoder.state_dict()["blocks.3.mlp.2.weight"], expected)


@pytest.mark.parametrize(
    ("width", "size"), [(512, "base"), (768, "small"), (1024, "medium"), (1280, "large")]
)
def test_other_whispers_are_named_by_their_size(tmp_path: Path, width: int, size: str) -> None:
    state = {
        "encoder.conv1.weight": torch.zeros(width, 80, 3),
        "encoder.blocks.0.attn.query.weight": torch.zeros(1, 1),
    }
    torch.save({"dims": {}, "model_state_dict": state}, tmp_path / "tiny.pt")
    with pytest.raises(CheckpointError, match=rf"tiny.pt is Whisper {size} \(width {width}\): .*needs tiny"):
        convert_whisper(tmp_path / "tiny.pt", tmp_path / "out.safetensors")


def test_stable_syncnet_is_converted(tmp_path: Path) -> None:
    tensors = numbers(shapes("StableSyncNet", TINY_SYNCNET))
    torch.save({"state_dict": tensors, "global_step": 1}, tmp_path / "stable_syncnet.pt")
    target = tmp_path / "s.safetensors"
    convert_stable_syncnet(tmp_path / "stable_syncnet.pt", target, config=TINY_SYNCNET)
    assert load_checkpoint(target).component("syncnet").config == TINY_SYNCNET


def test_syncnet_v2_in_its_old_file_format_is_converted_unrounded(tmp_path: Path) -> None:
    tensors = numbers(shapes("SyncNetV2", {}))
    tensors["netfcaud.3.bias"] = torch.full_like(tensors["netfcaud.3.bias"], 0.1)
    torch.save(tensors, tmp_path / "syncnet_v2.model", _use_new_zipfile_serialization=False)
    target = convert_syncnet_v2(tmp_path / "syncnet_v2.model", tmp_path / "v2.safetensors")
    bias = load_checkpoint(target).component("syncnet").state_dict()["netfcaud.3.bias"]
    assert torch.equal(bias, tensors["netfcaud.3.bias"])


@pytest.mark.slow
def test_unets_that_are_safetensors_already_are_converted_too(tmp_path: Path) -> None:
    save_file(numbers(shapes("EADUNet", TINY_UNET)), tmp_path / "latentsync_unet.safetensors")
    target = tmp_path / "out.safetensors"
    convert_latentsync_unet(
        tmp_path / "latentsync_unet.safetensors", target, resolution=512, config=TINY_UNET
    )
    assert read_info(target)["resolution"] == 512
    with pytest.raises(CheckpointError, match="is an EAD-Net checkpoint already"):
        detect(target)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="tiny.pt is a whisper file where latentsync_unet is needed"):
        convert_latentsync_unet(
            whisper_file(tmp_path / "tiny.pt"), tmp_path / "o.safetensors", resolution=256
        )


def test_missing_sources_and_unsuitable_targets_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        convert(tmp_path / "gone.pt")
    source = whisper_file(tmp_path / "tiny.pt")
    with pytest.raises(CheckpointError, match="must be named .safetensors"):
        convert(source, tmp_path / "out.pt")


def test_weights_that_are_not_finite_are_not_converted(tmp_path: Path) -> None:
    path = whisper_file(tmp_path / "tiny.pt")
    state = torch.load(path, weights_only=True)
    state["model_state_dict"]["encoder.ln_post.bias"][3] = float("nan")
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=r"encoder.ln_post.bias|ln_post.bias in tiny.pt has NaN"):
        convert(path)
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.pt"]
