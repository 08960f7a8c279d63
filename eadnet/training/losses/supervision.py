"""What a full-size U-Net's decoded frames are compared by in LatentSync's second stage (arXiv 2412.09262).

From the predicted noise follows an estimate of the clean latents; its 16 frames are decoded. SyncNet
supervision: the cosine of StableSyncNet's embeddings of lips and sound must be 1. TREPA: a VideoMAE-v2 that
the user has must see the same in estimate and truth. LPIPS, by given weights, on the lower half of the
frames. Pixels: their mean absolute difference, which LatentSync has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...dataset_format import FPS
from ...errors import InputError
from ...media.features import latentsync_mel
from ...modules.lpips import LPIPS
from ...modules.stable_syncnet import MELS_PER_SECOND, StableSyncNet
from ...modules.video_features import VideoMAEFeatures
from ..data.prepared import PreparedClip

_TOGETHER = 4  # frames that are decoded at a time


@dataclass(frozen=True)
class SupervisionWeights:
    """Beside 1 for the error of the noise; the defaults are LatentSync's, but that of pixels."""

    sync: float = 0.05
    trepa: float = 10.0
    pixel: float = 0.1
    perceptual: float = 0.1


class Supervision:
    """Frozen networks and their weights; a network that is None has no loss.

    Raises InputError for a window that a network does not take.
    """

    def __init__(
        self,
        vae: Any,
        syncnet: StableSyncNet | None,
        videomae: VideoMAEFeatures | None,
        weights: SupervisionWeights,
        window: int,
        lpips: LPIPS | None = None,
    ) -> None:
        for network, frames in ((syncnet, "num_frames"), (videomae, "frames")):
            if network is not None and getattr(network, frames) != window:
                raise InputError(
                    f"{type(network).__name__} sees {getattr(network, frames)} frames at once, not {window}: "
                    f"train with --window {getattr(network, frames)}."
                )
        self.vae, self.syncnet, self.videomae, self.weights = vae, syncnet, videomae, weights
        self.lpips = lpips
        self.parts: dict[str, float] = {}  # of the last call, unweighted

    def to(self, device: torch.device) -> Supervision:
        """All networks on a device, frozen."""
        videomae = None if self.videomae is None else self.videomae.network
        for network in (self.vae, self.syncnet, videomae, self.lpips):
            if network is not None:
                network.to(device).eval().requires_grad_(False)
        return self

    def __call__(self, estimate: Tensor, target: Tensor, clips: Sequence[PreparedClip]) -> Tensor:
        """The weighted sum for an estimate and the truth [B, T, 4, h, w] of some clips."""
        made = self.decoded(estimate)
        with torch.no_grad():
            real = self.decoded(target)
        weights = self.weights
        found = {"pixel": (weights.pixel, (made - real).abs().mean())}
        if self.syncnet is not None and weights.sync:
            found["sync"] = (weights.sync, sync_error(self.syncnet, made, clips))
        if self.videomae is not None and weights.trepa:
            found["trepa"] = (weights.trepa, trepa_error(self.videomae, made, real))
        if self.lpips is not None and weights.perceptual:
            found["perceptual"] = (weights.perceptual, perceptual_error(self.lpips, made, real))
        self.parts = {name: float(value.detach()) for name, (_, value) in found.items()}
        return torch.stack([weight * value for weight, value in found.values()]).sum()

    def decoded(self, latents: Tensor) -> Tensor:
        """Pictures [B, T, 3, H, W] in 0..1; on the way back each is decoded again, one after the other."""
        weight = next(self.vae.parameters())

        def decode(part: Tensor) -> Tensor:
            found: Tensor = self.vae.decode(part.to(weight)).float()
            return found

        parts = [
            checkpoint(decode, part, use_reentrant=False) if part.requires_grad else decode(part)
            for part in latents.flatten(0, 1).split(_TOGETHER)
        ]
        return ((torch.cat(parts) + 1) / 2).clamp(0, 1).unflatten(0, latents.shape[:2])


def trepa_error(videomae: VideoMAEFeatures, made: Tensor, real: Tensor) -> Tensor:
    """The squared distance of the unit features of pictures [B, T, 3, H, W], 0..1."""
    with torch.no_grad():
        truth = videomae.embed(real.transpose(1, 2))
    seen = videomae.embed(made.transpose(1, 2))
    return F.mse_loss(F.normalize(seen, dim=-1), F.normalize(truth, dim=-1))


def perceptual_error(lpips: LPIPS, made: Tensor, real: Tensor) -> Tensor:
    """The mean LPIPS of the lower halves of pictures [B, T, 3, H, W], 0..1, a few at a time."""
    half = made.shape[-2] // 2
    parts = zip(*(x.flatten(0, 1)[..., half:, :].split(_TOGETHER) for x in (made, real)), strict=True)
    found = [
        checkpoint(lpips.distance, a, b, use_reentrant=False) if a.requires_grad else lpips.distance(a, b)
        for a, b in parts
    ]
    return torch.cat(found).mean()


def clip_mel(clip: PreparedClip, frames: int) -> Tensor:
    """The mel [1, 80, frames] of a window's sound, as LatentSync's SyncNet hears it."""
    mel = latentsync_mel(torch.from_numpy(clip.sound))
    first = int(MELS_PER_SECOND * clip.start / FPS)
    found = mel[:, first : first + frames]
    return F.pad(found, (0, frames - found.shape[1]), value=-4.0)[None]  # -4 is silence


def sync_error(syncnet: StableSyncNet, pictures: Tensor, clips: Sequence[PreparedClip]) -> Tensor:
    """Minus the logarithm of the cosine of lips [B, T, 3, H, W], 0..1, and their own sound."""
    mel = torch.stack([clip_mel(clip, syncnet.mel_frames) for clip in clips]).to(pictures.device)
    video, audio = syncnet(syncnet.window(pictures).flatten(1, 2), mel)
    return -(video * audio).sum(1).clamp(1e-4, 1).log().mean()
