"""The VAE of the large presets: Stable Diffusion's, through diffusers (imported late), local files
only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError
from ..memory import free_cached, is_out_of_memory
from ..network_config import build_without_memory, read_json
from ..printable import get_logger
from ..weights import open_weights

logger = get_logger(__name__)

SD_VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "act_fn": "silu",
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 256,
}
"""Stable Diffusion 1.x's VAE, of which `sd-vae-ft-mse` is the one LatentSync uses."""

_SCALE = 0.18215
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


class SDAutoencoder(nn.Module):
    """Images in [-1, 1] to scaled latents and back, with the interface of `MiniAutoencoder`.

    When memory runs out for a single image larger than `sample_size`, it goes on in tiles of that side,
    from then on, and a message says so: results differ a little, since normalisation sees a tile alone.
    """

    def __init__(self, config: Mapping[str, Any] = SD_VAE) -> None:
        from diffusers import AutoencoderKL

        super().__init__()
        self.config: dict[str, Any] = {**SD_VAE, **config}
        self.model: Any = AutoencoderKL(**self.config)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SDAutoencoder:
        return cls(config)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> SDAutoencoder:
        """Load a safetensors file (diffusers' or Stable Diffusion's key names) or a diffusers folder.

        Raises CheckpointError for a missing, truncated or foreign file.
        """
        path = Path(path)
        config: Mapping[str, Any] = SD_VAE
        if path.is_dir():
            config, path = _folder(path)
        if not path.is_file():
            raise CheckpointError(f"There is no VAE {path}: check the name, or put the file there.")
        advice = "choose a Stable Diffusion 1.x VAE such as sd-vae-ft-mse."
        with open_weights(path) as file:
            build_without_memory(  # before memory is made: the settings may be anybody's
                cls, config, len(file.stored), f"The VAE's configuration beside {path.name}", advice
            )
            tensors = file.tensors()
        model = cls(config)
        try:
            model.model.load_state_dict(_diffusers_keys(tensors, model.config))
        except Exception as error:  # foreign names and shapes, as diffusers meets them
            raise CheckpointError(f"{path.name} is not a Stable Diffusion 1.x VAE: {advice}") from error
        return model.eval()

    def encode(self, pictures: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] to scaled latents [B, 4, H/8, W/8].

        The mean of the posterior, where LatentSync draws a sample: its spread is tiny and results stay
        repeatable.
        """
        return self._or_in_tiles(lambda: self.model.encode(pictures).latent_dist.mean * _SCALE, pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """[B, 4, h, w] to images [B, 3, 8h, 8w], not clamped."""
        return self._or_in_tiles(lambda: self.model.decode(latents / _SCALE).sample, latents)

    def _or_in_tiles(self, run: Callable[[], Tensor], batch: Tensor) -> Tensor:
        """``run()`` on a batch; callers with more than one image try fewer before it comes to tiles."""
        try:
            return run()
        except Exception as error:
            if len(batch) > 1 or self.model.use_tiling or not is_out_of_memory(error):
                raise
        # Outside the handler, where the failed attempt's tensors are no longer referenced.
        free_cached()
        self.model.enable_tiling()
        side = self.model.tile_sample_min_size
        logger.warning("EAD-Net ran out of memory: the VAE continues in tiles of %d pixels.", side)
        return run()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.decode(self.encode(pictures))


def _folder(path: Path) -> tuple[Mapping[str, Any], Path]:
    """(configuration, weights file) of a diffusers folder."""
    config = SD_VAE
    if (path / "config.json").is_file():
        where = f"{path.name}/config.json"
        try:
            stored = read_json((path / "config.json").read_text("utf-8"), where)
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{where} cannot be read: download the VAE again.") from error
        if not isinstance(stored, dict):
            raise CheckpointError(f"{where} has no settings by name: download the VAE again.")
        config = {key: stored[key] for key in SD_VAE if key in stored}
    return config, path / "diffusion_pytorch_model.safetensors"


def _diffusers_keys(tensors: dict[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Key names as diffusers has them today, from its own older ones or from Stable Diffusion's."""
    if "encoder.conv_in.weight" in tensors and any("down_blocks" in key for key in tensors):
        renamed = {}
        for key, value in tensors.items():
            if ".attentions." in key:
                for old, new in _OLD_ATTENTION.items():
                    key = key.replace(old, new)
            renamed[key] = value
        return renamed
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    return convert_ldm_vae_checkpoint(tensors, config)
