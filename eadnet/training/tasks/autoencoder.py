"""Train the `mini` VAE on stills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...faces.masks import mask_image
from ...metrics.temporal import STILL
from ...modules.autoencoder import FACTOR, MiniAutoencoder
from ..data.images import to_model_range
from ..losses.reconstruction import detail_weight, reconstruction_loss
from ..trainer import Trainer

# The networks are convolutional: a crop gives as much gradient per pixel as a picture, and most of it is
# face.
CROP = 64
HELD_OUT = 64  # the first stills, which are not trained on
LATENT_NOISE = 0.1  # decoding must forgive the sampler's small errors
LATENT_PENALTY = 1e-3


def draw_crops(
    data: np.ndarray, region: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`count` crops [count, 3, CROP, CROP], mostly of the face, and their parts of the region [1, H, W].

    The first `HELD_OUT` rows of the data are left alone.
    """
    rows = torch.randint(HELD_OUT, len(data), (count,), generator=generator).tolist()
    corners = draw_corners(data.shape[1], count, generator)
    crops = [data[r, y : y + CROP, x : x + CROP] for r, (y, x) in zip(rows, corners, strict=True)]
    parts = [region[:, y : y + CROP, x : x + CROP] for y, x in corners]
    return to_model_range(np.stack(crops)), torch.stack(parts)


def draw_corners(size: int, count: int, generator: torch.Generator) -> list[list[int]]:
    """Upper left corners (y, x) of crops, mostly of the face, on the latents' grid."""
    cells = (size - CROP) // FACTOR
    # The face lies in the lower middle.
    share = torch.rand(count, 3, generator=generator)
    first = torch.where(share[:, 2:] < 0.75, torch.tensor([2.0, 1.0]), torch.zeros(2))
    return (FACTOR * (first + share[:, :2] * (cells - first)).round().long()).tolist()


def psnr(output: Tensor, target: Tensor, region: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1] within `region` [1, H, W]."""
    squared = ((output.clamp(-1, 1) - target) ** 2 * region).sum() / (region.sum() * 3 * len(output))
    return float(10 * torch.log10(4 / squared))


def flicker(output: Tensor, target: Tensor, region: Tensor) -> float:
    """Mean change from frame to frame where the target in `region` [1, H, W] holds still, of full range 1.

    `eadnet.metrics.temporal.flicker` of frames [T, 3, H, W] in [-1, 1]; NaN where nothing holds still.
    """
    calm = (target.diff(dim=0).abs().mean(1) / 2 <= STILL) & (region[0] > 0.5)
    change = output.diff(dim=0).abs().mean(1) / 2
    return float(change[calm].mean()) if bool(calm.any()) else float("nan")


@torch.no_grad()
def set_latent_statistics(model: MiniAutoencoder, pictures: Tensor) -> None:
    """Make the latents of `pictures` zero-mean and unit-variance per channel."""
    model.latent_mean.zero_()
    model.latent_std.fill_(1)
    latents = model.encode(pictures)
    model.latent_mean.copy_(latents.mean((0, 2, 3), keepdim=True))
    model.latent_std.copy_(latents.std((0, 2, 3), keepdim=True))


def train_autoencoder(
    stills: Path,
    folder: Path,
    mask_region: str,
    *,
    minutes: float,
    start: MiniAutoencoder | None = None,
    batch: int = 16,
    rate: float = 1.5e-3,
    seed: int = 0,
) -> MiniAutoencoder:
    """Train within the time budget (resuming `folder`) and return the averaged model, latents normalised.

    `start` is a trained model to go on from; `mask_region` is what is generated later and counts more.
    """
    data = np.load(stills, mmap_mode="r")
    held_out = to_model_range(np.array(data[:HELD_OUT]))
    torch.manual_seed(seed)
    model = start or MiniAutoencoder()
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, seed=seed, decay=0.995)
    region = mask_image(mask_region, data.shape[1])
    averaged = MiniAutoencoder.from_config(model.config)
    for step in trainer.steps():
        target, part = draw_crops(data, region, batch, trainer.generator)
        latents = model.encode(target)
        output = model.decode(latents + LATENT_NOISE * torch.randn_like(latents))
        loss = reconstruction_loss(output, target, detail_weight(target, part))
        norm = trainer.optimize(loss + LATENT_PENALTY * latents.square().mean())
        if step % 100 == 0:
            averaged.load_state_dict(trainer.average.weights)
            with torch.no_grad():
                quality = psnr(averaged(held_out), held_out, region)
                whole = psnr(averaged(held_out), held_out, torch.ones_like(region))
            trainer.write(
                {
                    "step": step,
                    "minutes": trainer.seconds / 60,
                    "loss": float(loss.detach()),
                    "norm": norm,
                    "psnr_face": quality,
                    "psnr": whole,
                }
            )
    averaged.load_state_dict(trainer.average.weights)
    set_latent_statistics(averaged, to_model_range(np.array(data[HELD_OUT : HELD_OUT + 512])))
    return averaged.eval()
