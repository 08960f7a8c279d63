"""TREPA (LatentSync, arXiv 2412.09262): features of a frozen video encoder must agree on estimate and truth.

The encoder is a small VideoMAE trained on the data set's own clips (`eadnet.training.tasks.videomae`). One
clip of the batch is decoded for it, whole in time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...modules.autoencoder import MiniAutoencoder
from ...modules.video_mae import FRAMES, VideoEncoder
from ..data.latent_crop import LatentCrop
from .step import Step, by_signal


class TrepaLoss:
    """Needs windows of `FRAMES` frames; others give None."""

    name = "trepa"

    def __init__(self, vae: MiniAutoencoder, encoder: VideoEncoder, crop: LatentCrop, clips: int = 1) -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.encoder = encoder.eval().requires_grad_(False)
        self.crop, self.clips = crop, clips

    def features(self, latents: Tensor) -> Tensor:
        """Latents [B, T, 4, h, w] -> unit features [B, N, D] of the decoded face."""
        pictures = self.vae.decode(self.crop.crop(latents).flatten(0, 1)).clamp(-1, 1)
        return self.encoder.features(pictures.unflatten(0, latents.shape[:2]))

    def __call__(self, step: Step) -> Tensor | None:
        if step.estimate.shape[1] != FRAMES:
            return None
        chosen = step.draw(self.clips, len(step.estimate))
        with torch.no_grad():
            truth = self.features(step.batch.target[chosen])
        error = (self.features(step.estimate[chosen]) - truth).square().sum(-1)
        return by_signal(error, step.alpha[chosen.to(step.alpha.device)])
