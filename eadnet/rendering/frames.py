"""A talking face of any length: frames are read, worked on and given out while the clip passes by.

Everything a frame depends on lies within a few windows, so memory does not grow with length, and any later
part of a clip can be rendered alone, to the bit. That is what continuing after a crash does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..memory import FewerAtATime
from ..modules.tfrm import needed_from, smooth_stream
from ..sampling import Sampling, SamplingProgress, stream
from .conditions import Pieces, SceneConditions
from .croppers import CentreCropper, StillCropper
from .memory import VAE_BATCH, branches, unet_memory, vae_batch
from .networks import Networks
from .progress import OnProgress, StageProgress
from .scene import Scene


def render_frames(
    networks: Networks,
    scene: Scene,
    sampling: Sampling,
    *,
    smoothing: float = 1.0,
    first_frame: int = 0,
    on_progress: OnProgress | None = None,
) -> Iterator[np.ndarray]:
    """The finished frames, uint8 [H, W, 3], from ``first_frame`` (a multiple of `VAE_BATCH`) on.

    ``smoothing`` in [0, 1] is TFRM's strength. To cancel, raise inside ``on_progress``. When memory runs out
    while pictures are encoded or decoded, fewer are from then on, and a message says so.
    Raises InputError for settings that cannot work at once, for sources when they are read.
    """
    networks = _in_small_batches(networks, scene, sampling)
    conditions = SceneConditions(networks, scene)
    latents = _latents(networks, conditions, sampling, smoothing, first_frame, on_progress)
    return _finished(networks, conditions, latents, first_frame)


def render_latents(
    networks: Networks,
    scene: Scene,
    sampling: Sampling,
    *,
    smoothing: float = 1.0,
    on_progress: OnProgress | None = None,
) -> Iterator[Tensor]:
    """The latents [n, C, h, w] that `render_frames` would decode, in order, piece by piece."""
    networks = _in_small_batches(networks, scene, sampling)
    return _latents(networks, SceneConditions(networks, scene), sampling, smoothing, 0, on_progress)


def _in_small_batches(networks: Networks, scene: Scene, sampling: Sampling) -> Networks:
    """With a VAE that takes as many frames at a time as fit where the U-Net was."""
    resolution = scene.region.shape[-1]
    window = min(sampling.window, scene.length.frames)
    evaluated = unet_memory(networks.unet, window, resolution // 8, sampling.dtype, branches(sampling))
    most = vae_batch(evaluated, resolution**2, VAE_BATCH)
    return replace(
        networks,
        encode=FewerAtATime(networks.encode, most, "encoding"),
        decode=FewerAtATime(networks.decode, most, "decoding"),
    )


def _latents(
    networks: Networks,
    conditions: SceneConditions,
    sampling: Sampling,
    smoothing: float,
    first_frame: int,
    on_progress: OnProgress | None,
) -> Iterator[Tensor]:
    if first_frame % VAE_BATCH:
        raise ValueError(f"a render starts at a multiple of {VAE_BATCH} frames, not at {first_frame}")
    tfrm = networks.tfrm if smoothing > 0 else None
    frames = conditions.scene.length.frames
    started = time.monotonic()

    def report(now: SamplingProgress) -> None:
        if on_progress:
            left = (time.monotonic() - started) / now.done * (now.total - now.done)
            on_progress(StageProgress("render", now.done, now.total, left, now))

    latents = stream(
        networks.unet,
        conditions.from_frame,
        frames,
        sampling,
        first_frame=needed_from(tfrm, first_frame),
        callback=report,
    )
    if tfrm is None:
        return latents
    smooth = smooth_stream(tfrm, latents, frames, strength=smoothing, first_frame=first_frame)
    return (piece for piece, _ in smooth)


@torch.no_grad()
def _finished(
    networks: Networks, conditions: SceneConditions, latents: Iterator[Tensor], first_frame: int
) -> Iterator[np.ndarray]:
    pieces, scene = Pieces(latents), conditions.scene
    cropper = scene.cropper
    if scene.length.available == 1 and isinstance(cropper, CentreCropper):
        cropper = StillCropper(cropper, scene.pictures.picture(scene.length.at(0)))
    for start in range(first_frame, scene.length.frames, VAE_BATCH):
        stop = min(start + VAE_BATCH, scene.length.frames)
        crops = networks.decode(pieces.take(stop - start)).float().cpu().clamp(-1, 1)
        frames, numbers = conditions.frames(start, stop)
        yield from cropper.paste(frames, crops, numbers)
