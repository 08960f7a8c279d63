"""Pixels, and what the VAE's encoder sees in them, of the decoded one-step estimate.

The target is what the decoder makes of the true latents, so the VAE's own error is not counted.
Perceptual features are those of the frozen encoder (no network trained on photographs may be shipped),
normalised over channels as LPIPS does (arXiv 1801.03924). Reconstruction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...modules.autoencoder import MiniAutoencoder
from .step import Step, by_signal


class _Decoded:
    """A random frame of some clips, decoded: estimate, truth, and the clips' alpha."""

    def __init__(self, vae: MiniAutoencoder, frames: int) -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.frames = frames

    def draw(self, step: Step) -> tuple[Tensor, Tensor, Tensor]:
        count, window = step.estimate.shape[:2]
        chosen = step.draw(self.frames, count * window)
        clips, moments = chosen // window, chosen % window
        with torch.no_grad():
            truth = self.vae.decode(step.batch.target[clips, moments])
        return self.vae.decode(step.estimate[clips, moments]), truth, step.alpha[clips.to(step.alpha.device)]


class PixelLoss:
    """L1 of pixels."""

    name = "pixel"

    def __init__(self, vae: MiniAutoencoder, frames: int = 4) -> None:
        self.decoded = _Decoded(vae, frames)

    def __call__(self, step: Step) -> Tensor | None:
        picture, truth, alpha = self.decoded.draw(step)
        return by_signal((picture - truth).abs(), alpha)


class PerceptualLoss:
    """Distance of the encoder's features after its first half and at its end."""

    name = "perceptual"

    def __init__(self, vae: MiniAutoencoder, frames: int = 4) -> None:
        self.decoded = _Decoded(vae, frames)
        layers = vae.encoder
        self.half = len(layers) // 2

    def __call__(self, step: Step) -> Tensor | None:
        picture, truth, alpha = self.decoded.draw(step)
        loss = torch.zeros((), device=picture.device)
        with torch.no_grad():
            wanted = self.features(truth)
        for a, b in zip(self.features(picture), wanted, strict=True):
            loss = loss + by_signal((a - b).square().sum(1), alpha)
        return loss

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Unit vectors over the channels at two depths, each [N, C, h, w]."""
        encoder, found = self.decoded.vae.encoder, []
        x = pictures
        for place, layer in enumerate(encoder):
            x = layer(x)
            if place in (self.half, len(encoder) - 2):
                found.append(F.normalize(x, dim=1))
        return found
