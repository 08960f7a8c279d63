"""SyncNet supervision: the mouth of the one-step estimate and the sound must belong together.

The mouth alone is decoded from its own latents, a fifth of a picture's work, for the frozen SyncNet: every
window of five frames must be closer to its own sound than to all other sounds of the batch (the loss SyncNet
itself was trained with). LatentSync (arXiv 2412.09262) uses the cosine alone; with the other
sounds as negatives a mouth cannot win by looking like every sound. Reconstruction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...modules.autoencoder import FACTOR, MiniAutoencoder
from ...modules.mini_audio import speech_log_mel
from ...modules.mini_syncnet import MARGIN_MELS, MELS_PER_FRAME, MOUTH, MiniSyncNet
from ..data.latent_crop import LatentCrop
from .step import Step

MARGIN = 1  # latent sites around the mouth that are decoded with it
SHARPNESS = 12.0


class SyncLoss:
    """Needs windows of as many frames as SyncNet takes; shorter ones give None."""

    name = "sync"

    def __init__(self, vae: MiniAutoencoder, syncnet: MiniSyncNet, crop: LatentCrop) -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.syncnet = syncnet.eval().requires_grad_(False)
        self.crop = crop
        top, left, height, width = MOUTH
        self.rows = slice(top // FACTOR - MARGIN, -(-(top + height) // FACTOR) + MARGIN)
        self.columns = slice(left // FACTOR - MARGIN, -(-(left + width) // FACTOR) + MARGIN)

    def mouths(self, latents: Tensor) -> Tensor:
        """Latents [B, T, 4, h, w], whole or cropped -> decoded mouths [B, T, 3, 40, 48] in about -1..1."""
        cropped = self.crop.side == latents.shape[-1]
        down, right = (self.crop.top, self.crop.left) if cropped else (0, 0)
        rows = slice(self.rows.start - down, self.rows.stop - down)
        columns = slice(self.columns.start - right, self.columns.stop - right)
        around = self.vae.decode(latents[..., rows, columns].flatten(0, 1))
        top, left, height, width = MOUTH
        y, x = top - FACTOR * self.rows.start, left - FACTOR * self.columns.start
        return around[..., y : y + height, x : x + width].unflatten(0, latents.shape[:2])

    def log_mel(self, step: Step) -> Tensor:
        """Log-mel [B, 80, 4 T + 14] of the sound around the windows."""
        window = step.estimate.shape[1]
        whole = F.pad(speech_log_mel(step.sound), (MARGIN_MELS, MARGIN_MELS))
        length = MELS_PER_FRAME * window + 2 * MARGIN_MELS
        starts = (MELS_PER_FRAME * step.batch.starts).tolist()
        return torch.stack([mel[:, at : at + length] for mel, at in zip(whole, starts, strict=True)])

    def __call__(self, step: Step) -> Tensor | None:
        if step.estimate.shape[1] < self.syncnet.num_frames:
            return None
        video, audio = self.syncnet.embed_pairs(self.mouths(step.estimate).clamp(-1, 1), self.log_mel(step))
        logits = SHARPNESS * video.flatten(0, 1) @ audio.flatten(0, 1).T
        own = torch.arange(len(logits), device=logits.device)
        errors = F.cross_entropy(logits, own, reduction="none").unflatten(0, video.shape[:2])
        return (step.alpha * errors.mean(1)).sum() / step.alpha.sum().clamp(min=1e-6)
