"""Bytes of memory that the parts of a render need beside their weights: the one place of these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..media.resumable_video import GROUP, most_waiting
from ..modules.tfrm import PIECE
from ..sampling import Sampling

_READER = 64 << 20  # decoded frames that a video keeps


def unet_memory(unet: Any, frames: int, side: int, dtype: torch.dtype | None = None) -> float:
    """Of a U-Net for one window of ``frames`` of latents with this ``side``; ``dtype`` None is its own.

    Counted on the network itself: at its peak 24 values live per first-level channel and latent site, in
    every size from mini to 512 pixels. The rest of the 40 is room for convolution workspaces. Three
    evaluations of the network may run at once (see `eadnet.sampling.guidance`).
    """
    if dtype is None:
        parameter = next(unet.parameters(), None)
        dtype = torch.float32 if parameter is None else parameter.dtype
    channels = getattr(unet, "config", {}).get("block_out_channels", [64])[0]
    return 3 * 40 * channels * frames * side * side * dtype.itemsize


def tfrm_memory(tfrm: Any, shape: Sequence[int]) -> float:
    """Of TFRM for latents [T, 4, h, w]: the latents, and features and a few graphs of the frames that are
    refined together.
    """
    frames, channels, height, width = shape
    together = frames if tfrm.halo is None else min(frames, PIECE + 2 * tfrm.halo)
    return 4 * (
        2 * channels * frames * height * width + 8 * 64 * together * height * width + 8 * together * together
    )


def vae_memory(pixels: int) -> float:
    """Of a VAE for one picture of so many pixels: what ComfyUI estimates for Stable Diffusion's, the
    largest there can be here.
    """
    return 2178 * pixels * 4


def render_memory(unet: Any, sampling: Sampling, frames: int, side: int, size: tuple[int, int]) -> float:
    """Of a render of ``frames`` frames of ``size`` (width, height), latents with this ``side``: the U-Net,
    the windows that the sampler holds (about as many as there are steps, each with its conditions, noise and
    solver), pictures that wait to be encoded, and those that are read.
    """
    width, height = size
    window = min(sampling.window, frames)
    held = (sampling.steps + 2) * window * side * side * 4 * (4 * 5 + 9)
    held += _deep_memory(unet, sampling, window, side)
    waiting = (GROUP + most_waiting(width, height)) * width * height * 3
    return unet_memory(unet, window, side, sampling.dtype) + held + waiting + _READER


def _deep_memory(unet: Any, sampling: Sampling, window: int, side: int) -> float:
    """Of deep features kept between steps, of up to three branches: those of one window where windows move,
    else of all that are under way.
    """
    if sampling.savings.cache_interval == 1:
        return 0
    parameter = next(unet.parameters(), None)
    dtype = sampling.dtype or (torch.float32 if parameter is None else parameter.dtype)
    channels = getattr(unet, "config", {}).get("block_out_channels", [64])[0]
    windows = 1 if sampling.window_mode == "moving" else sampling.steps + 2
    return 3 * windows * channels * window * side * side * dtype.itemsize
