"""The VAE behind ComfyUI's VAE socket."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import comfy.model_patcher
import comfy.sd
import torch
from comfy import model_management
from torch import Tensor, nn

from ...eadnet.errors import InputError
from ...eadnet.finite import check_result
from ...eadnet.memory import with_less
from ...eadnet.rendering.memory import vae_memory
from .memory import Held, result_device
from .progress import cancellable

_ADVICE = "check the latents or images that go into it, or download the checkpoint again"


class HeldVAE(comfy.sd.VAE):
    """A VAE of ours behind the VAE socket, for ComfyUI's own encode and decode nodes.

    Does not call the parent's constructor, which builds one of ComfyUI's networks from its weights;
    everything the core nodes call is overridden here.
    """

    def __init__(self, module: nn.Module) -> None:
        self.held = Held(module, model_management.vae_offload_device())
        self.first_stage_model = module
        self.patcher = self.held.patcher
        self.device = self.patcher.load_device
        self.output_device = result_device()
        self.vae_dtype = torch.float32
        self.latent_channels, self.latent_dim, self.output_channels = 4, 2, 3
        self.downscale_ratio = self.upscale_ratio = 8
        self.size = None

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Pictures [B, H, W, C] in 0..1 to latents [B, 4, H/8, W/8], cut to multiples of 8 as core does."""
        height, width = (side // 8 * 8 for side in pixel_samples.shape[1:3])
        top, left = ((pixel_samples.shape[1] - height) // 2, (pixel_samples.shape[2] - width) // 2)
        pixels = pixel_samples[:, top : top + height, left : left + width, :3].movedim(-1, 1)
        latents = self._in_batches(pixels, lambda module, part: module.encode(part * 2 - 1), height * width)
        return check_result(latents, "VAE encoder", _ADVICE)

    def decode(self, samples_in: Tensor, vae_options: Any = None) -> Tensor:
        """Latents [B, 4, h, w] (or [B, 4, 1, h, w]) to pictures [B, 8h, 8w, 3] in 0..1."""
        latents = samples_in[:, :, 0] if samples_in.ndim == 5 else samples_in
        area = latents.shape[-2] * latents.shape[-1] * 64
        pictures = self._in_batches(latents, lambda module, part: (module.decode(part) + 1) / 2, area)
        # Before the clamp: it would make a picture of infinities.
        return check_result(pictures, "VAE decoder", _ADVICE).clamp(0, 1).movedim(1, -1)

    def encode_tiled(self, pixel_samples: Tensor, **tiles: Any) -> Tensor:
        """The pictures are small, so tiles would gain nothing."""
        return self.encode(pixel_samples)

    def decode_tiled(self, samples: Tensor, **tiles: Any) -> Tensor:
        return self.decode(samples)

    def _in_batches(self, samples: Tensor, run: Callable[[Any, Tensor], Tensor], pixels: int) -> Tensor:
        bytes_each = vae_memory(pixels)
        module = self.held.use(lambda _: bytes_each)
        most = max(1, int(model_management.get_free_memory(self.device) / bytes_each))

        def in_batches_of(size: int) -> Tensor:
            done = []
            for part in samples.split(size):
                model_management.throw_exception_if_processing_interrupted()
                done.append(run(module, part.to(self.device, self.vae_dtype)).float().to(self.output_device))
            return torch.cat(done)

        with torch.no_grad(), cancellable(module):
            return with_less(in_batches_of, min(most, len(samples)), 1, "frames at a time")

    def throw_exception_if_invalid(self) -> None:
        pass

    def model_size(self) -> int:
        return self.held.get_ram_usage()

    def get_ram_usage(self) -> int:
        return self.held.get_ram_usage()

    def get_sd(self) -> dict[str, Tensor]:
        return self.first_stage_model.state_dict()

    def spacial_compression_encode(self) -> int:
        return self.downscale_ratio

    def spacial_compression_decode(self) -> int:
        return self.upscale_ratio

    def temporal_compression_decode(self) -> None:
        return None


def vae_network(vae: comfy.sd.VAE) -> Any:
    """The network inside; None where there is none."""
    return vae.first_stage_model


def vae_in_float32(vae: comfy.sd.VAE) -> comfy.sd.VAE | None:
    """A VAE of its own with the same weights that computes in float32; None where this one does already."""
    network, patcher = getattr(vae, "first_stage_model", None), getattr(vae, "patcher", None)
    if network is None or patcher is None or getattr(vae, "vae_dtype", torch.float32) == torch.float32:
        return None
    twin = copy.copy(vae)
    module = copy.deepcopy(network).to(patcher.offload_device, torch.float32)
    # What ComfyUI notes on a module about its being loaded is not true of the copy.
    module.device, module.model_loaded_weight_memory = patcher.offload_device, 0
    module.model_lowvram, module.lowvram_patch_counter, module.current_weight_patches_uuid = False, 0, None
    twin.first_stage_model, twin.vae_dtype = module, torch.float32
    twin.patcher = comfy.model_patcher.ModelPatcher(
        module, load_device=patcher.load_device, offload_device=patcher.offload_device
    )
    return twin


class MissingVAE(comfy.sd.VAE):
    """Stands in for the VAE of a checkpoint that has none."""

    def __init__(self, message: str) -> None:
        self.first_stage_model = None
        self._message = message

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise InputError(self._message)

    encode = decode = encode_tiled = decode_tiled = get_sd = throw_exception_if_invalid = _fail
    spacial_compression_encode = spacial_compression_decode = temporal_compression_decode = _fail

    def model_size(self) -> int:
        return 0

    def get_ram_usage(self) -> int:
        return 0
