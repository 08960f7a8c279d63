"""Stable Diffusion's autoencoder from local files, in every dialect its weights are published in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from eadnet.errors import CheckpointError
from eadnet.memory import FewerAtATime
from eadnet.modules.vae import SDAutoencoder

SMALL = {
    "block_out_channels": [4, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


def small() -> SDAutoencoder:
    torch.manual_seed(0)
    return SDAutoencoder.from_config(SMALL).eval()


def folder(path: Path, rename: dict[str, str] | None = None) -> Path:
    """A diffusers folder of the small autoencoder, optionally with other key names."""
    tensors = {}
    for key, value in small().model.state_dict().items():
        if ".attentions." in key:
            for old, new in (rename or {}).items():
                key = key.replace(old, new)
        tensors[key] = value
    path.mkdir()
    save_file(tensors, path / "diffusion_pytorch_model.safetensors")
    (path / "config.json").write_text(json.dumps({**small().config, "_class_name": "AutoencoderKL"}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "rename",
    [None, {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}],
    ids=["today's names", "the old names"],
)
def test_a_diffusers_folder_is_loaded(tmp_path: Path, rename: dict[str, str] | None) -> None:
    loaded = SDAutoencoder.from_file(folder(tmp_path / "vae", rename))
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        latents = loaded.encode(pictures)
        assert torch.equal(latents, small().encode(pictures))
        assert latents.shape == (2, 4, 8, 8)
        assert loaded.decode(latents).shape == pictures.shape


@pytest.mark.slow
def test_latents_are_scaled_as_stable_diffusion_does() -> None:
    vae, pictures = small(), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        mean = vae.model.encode(pictures).latent_dist.mean
        torch.testing.assert_close(vae.encode(pictures), mean * 0.18215)
        torch.testing.assert_close(vae.decode(mean * 0.18215), vae.model.decode(mean).sample)


def test_files_that_are_no_autoencoder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no VAE"):
        SDAutoencoder.from_file(tmp_path / "gone.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x99" * 40)
    with pytest.raises(CheckpointError, match="cut.safetensors is not a safetensors file"):
        SDAutoencoder.from_file(tmp_path / "cut.safetensors")


@pytest.mark.slow
def test_an_autoencoder_of_another_shape_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "vae")
    (path / "config.json").write_text(json.dumps({**small().config, "block_out_channels": [8, 8]}))
    with pytest.raises(CheckpointError, match="is not a Stable Diffusion 1.x VAE"):
        SDAutoencoder.from_file(path)


class Cramped(nn.Module):
    """A part of the autoencoder that runs out of memory with more than ``room`` places [B, H, W] at once."""

    def __init__(self, inside: nn.Module, room: int) -> None:
        super().__init__()
        self.inside, self.room, self.shapes = inside, room, list[torch.Size]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shapes.append(x.shape)
        if x[:, 0].numel() > self.room:
            raise RuntimeError("MPS backend out of memory")
        return self.inside(x)


def cramped(room: int) -> SDAutoencoder:
    """With tiles of 16 pixels, 8 latents."""
    torch.manual_seed(0)
    vae = SDAutoencoder.from_config({**SMALL, "sample_size": 16}).eval()
    vae.model.encoder = Cramped(vae.model.encoder, room * 4)
    vae.model.decoder = Cramped(vae.model.decoder, room)
    return vae


def alike(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@pytest.mark.slow
@torch.no_grad()
def test_one_picture_for_which_memory_runs_out_goes_on_in_tiles(caplog: pytest.LogCaptureFixture) -> None:
    vae, roomy = cramped(8 * 8), cramped(10**6)
    latents = 0.18215 * torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(0))
    tiled, whole = vae.decode(latents), roomy.decode(latents)
    assert tiled.shape == whole.shape == (1, 3, 32, 48)
    # Random weights and tiles of 8 latents: normalisation differs more than it does in a real autoencoder.
    assert alike(tiled, whole) > 0.5 and alike(tiled.flip(-1), whole) < 0.3, "every tile in its place"
    assert "continues in tiles of 16 pixels" in caplog.text
    assert vae.encode(whole).shape == roomy.encode(whole).shape == latents.shape
    vae.model.decoder.shapes.clear()
    vae.decode(latents)
    assert max(shape[-1] for shape in vae.model.decoder.shapes) == 8, "it does not try again what failed"


@pytest.mark.slow
@torch.no_grad()
def test_several_pictures_are_fewer_before_they_are_tiles() -> None:
    vae = cramped(16 * 24)
    latents = torch.randn(4, 4, 16, 24)
    made = FewerAtATime(vae.decode, 4, "decoding")(latents)
    assert not vae.model.use_tiling
    torch.testing.assert_close(
        made, torch.cat([vae.model.decode(z / 0.18215).sample for z in latents.split(1)])
    )


@pytest.mark.slow
@torch.no_grad()
def test_a_tile_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        cramped(8)(torch.zeros(1, 3, 64, 64))
