"""Crops through ComfyUI's VAE and back."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import to_pictures


def encode_crops(vae: io.Vae.Type, crops: Tensor) -> Tensor:
    """Crops [n, 3, R, R] in [-1, 1] to latents as the VAE gives them; InputError unless [n, 4, R/8, R/8]."""
    latents = vae.encode(to_pictures(crops))
    side = crops.shape[-1] // 8
    if tuple(latents.shape[1:]) != (4, side, side):
        raise InputError(
            f"This VAE encodes an image to {list(latents.shape[1:])} where {[4, side, side]} is needed: "
            "connect the checkpoint's own VAE or, for LatentSync, Stable Diffusion 1.5's."
        )
    return latents.float()


def decode_crops(vae: io.Vae.Type, latents: Tensor) -> Tensor:
    """Latents as the VAE gives them [n, 4, R/8, R/8] to crops [n, 3, R, R] in [-1, 1]."""
    return vae.decode(latents).movedim(-1, 1) * 2 - 1
