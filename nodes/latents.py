"""Crops through ComfyUI's VAE and back."""

from __future__ import annotations

from collections.abc import Callable

from comfy_api.latest import io
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import to_pictures
from ..eadnet.rendering import Coder, FiniteVAE
from . import host


def finite_vae(vae: io.Vae.Type, scale: float, say: Callable[[str], None]) -> FiniteVAE:
    """The VAE between crops and latents times ``scale``, with its results checked; ``say`` takes the sentence
    that it goes on in float32.
    """

    def coder(vae: io.Vae.Type) -> Coder:
        return Coder(
            lambda crops: encode_crops(vae, crops) * scale,
            lambda latents: decode_crops(vae, (latents / scale).cpu()),
        )

    def in_float32() -> Coder | None:
        twin = host.vae_in_float32(vae)
        return None if twin is None else coder(twin)

    return FiniteVAE(coder(vae), in_float32, say)


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
