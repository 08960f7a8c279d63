"""Bytes of memory that the parts of a render need beside their weights: the one place of these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..media.resumable_video import GROUP, most_waiting
from ..modules.operations import placement
from ..modules.tfrm import PIECE
from ..sampling import Sampling

VAE_BATCH = 8  # frames encoded or decoded at once, at most, counted from the start of the clip

_READER = 64 << 20  # decoded frames that a video keeps
_OWN_VAE = 256 * 256  # below, models bring a small VAE of their own, which takes a hundredth


def unet_memory(
    unet: Any, frames: int, side: int, dtype: torch.dtype | None = None, branches: int = 1
) -> float:
    """Of a U-Net for one window of ``frames`` of latents with this ``side``; ``dtype`` None is the one it
    computes in.

    Counted on the network itself: at its peak 18 values live per first-level channel and latent site, at 256
    and 512 pixels (11 with mini). The rest of the 22 is room for convolution workspaces. So many
    ``branches`` run at once (see `branches`).
    """
    if dtype is None:
        dtype = placement(unet)[1]
    channels = getattr(unet, "config", {}).get("block_out_channels", [64])[0]
    return branches * 22 * channels * frames * side * side * dtype.itemsize


def branches(sampling: Sampling) -> int:
    """How many evaluations of the U-Net one step takes; they run in one batch (`sampling.guidance`)."""
    audio, emotion = sampling.audio_guidance, sampling.emotion_guidance
    return sum(coefficient != 0 for coefficient in (1 - audio, audio - emotion, emotion))


def tfrm_memory(tfrm: Any, shape: Sequence[int]) -> float:
    """Of TFRM for latents [T, 4, h, w]: the latents, and features and a few graphs of the frames that are
    refined together.
    """
    frames, channels, height, width = shape
    together = frames if tfrm.halo is None else min(frames, PIECE + 2 * tfrm.halo)
    return 4 * (
        2 * channels * frames * height * width + 8 * 64 * together * height * width + 8 * together * together
    )


def vae_memory(pixels: int, itemsize: int = 4) -> float:
    """Of a VAE for one picture of so many pixels, in numbers of ``itemsize`` bytes.

    Counted on Stable Diffusion's, the largest there can be here: 768 values live per pixel when it decodes,
    640 when it encodes (the small one of mini has 24). The rest of the 960 is room for workspaces.
    """
    return 960 * pixels * itemsize


def vae_batch(unet_bytes: float, pixels: int, most: int) -> int:
    """How many frames, up to ``most``, go through the VAE at a time so that it takes no more than the U-Net
    did before it, or a gigabyte where that is more.
    """
    return max(1, min(most, int(max(unet_bytes, 1 << 30) / vae_memory(pixels))))


def render_memory(unet: Any, sampling: Sampling, frames: int, side: int, size: tuple[int, int]) -> float:
    """Of a render of ``frames`` frames of ``size`` (width, height), latents with this ``side``: the U-Net or
    the VAE, the windows that the sampler holds (about as many as there are steps, each with its conditions,
    noise and solver), pictures that wait to be encoded, and those that are read.
    """
    width, height = size
    window, pixels = min(sampling.window, frames), (8 * side) ** 2
    held: float = (sampling.steps + 2) * window * side * side * 4 * (4 * 5 + 9)
    held += deep_memory(unet, sampling, window, side)
    waiting = (GROUP + most_waiting(width, height)) * width * height * 3
    evaluated = unet_memory(unet, window, side, sampling.dtype, branches(sampling))
    decoded = 0.0 if pixels < _OWN_VAE else vae_batch(evaluated, pixels, VAE_BATCH) * vae_memory(pixels)
    return max(evaluated, decoded) + held + waiting + _READER


def deep_memory(unet: Any, sampling: Sampling, window: int, side: int, frames: int | None = None) -> float:
    """Of deep features kept between steps, of up to three branches: those of one window where windows move.
    Where they overlap those of all that are under way: about as many as there are steps, or as the windows of
    a clip of so many ``frames``.
    """
    if sampling.savings.cache_interval == 1:
        return 0
    parameter = next(unet.parameters(), None)
    dtype = sampling.dtype or (torch.float32 if parameter is None else parameter.dtype)
    channels = getattr(unet, "config", {}).get("block_out_channels", [64])[0]
    windows = 1
    if sampling.window_mode != "moving":
        stride = max(1, window - sampling.overlap)
        windows = sampling.steps + 2
        if frames is not None:
            windows = min(windows, -(-frames // stride))
    return 3 * windows * channels * window * side * side * dtype.itemsize
