"""Train the `mini` autoencoder on rendered stills."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.masks import mask_image
from ..modules.autoencoder import MiniAutoencoder
from .run import Run

logger = logging.getLogger(__name__)

# The networks are convolutional: a crop teaches as much per pixel as a picture, and most of it is face.
CROP = 80
LATENT_NOISE = 0.05  # decoding must forgive the sampler's small errors
LATENT_PENALTY = 1e-3


def to_model_range(pictures: np.ndarray) -> Tensor:
    """uint8 [..., H, W, 3] to float32 [..., 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).movedim(-1, -3).float() / 127.5 - 1


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def reconstruction_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 on pixels and on their differences at two scales, which keeps edges of lids and lips."""
    loss = (weight * (output - target).abs()).mean()
    for scale in (1, 2):
        a, b = (F.avg_pool2d(v, scale) for v in (output, target))
        w = F.avg_pool2d(weight, scale)
        for da, db in zip(_gradients(a), _gradients(b), strict=True):
            loss = loss + (w[..., : da.shape[-2], : da.shape[-1]] * (da - db).abs()).mean()
    return loss


def _detail_weight(target: Tensor, region: Tensor) -> Tensor:
    """The face counts three times, and its busy pixels (eyes, lips, brows) more than its cheeks."""
    local = F.avg_pool2d(target.mean(1, keepdim=True), 9, 1, 4, count_include_pad=False)
    busy = (target.mean(1, keepdim=True) - local).abs().clamp(max=0.5)
    return 0.3 + region * (0.7 + 4 * busy)


def draw_crops(data: np.ndarray, count: int, generator: torch.Generator) -> tuple[Tensor, int, int]:
    """`count` crops [count, 3, 80, 80] at one place on the latents' grid, mostly over the face.

    Rows 0 ... 63 of the data are held out. Returns the crops and their top and left in pixels.
    """
    rows = torch.randint(64, len(data), (count,), generator=generator).sort().values
    cells = (data.shape[1] - CROP) // 8
    high = torch.rand(3, generator=generator)
    if high[2] < 0.75:  # the face lies in the lower middle
        top, left = 8 * round(float(2 + high[0] * (cells - 2))), 8 * round(float(1 + high[1] * (cells - 2)))
    else:
        top, left = 8 * round(float(high[0] * cells)), 8 * round(float(high[1] * cells))
    return to_model_range(np.array(data[rows.numpy(), top : top + CROP, left : left + CROP])), top, left


def psnr(output: Tensor, target: Tensor, region: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1] within `region` [1, H, W]."""
    squared = ((output.clamp(-1, 1) - target) ** 2 * region).sum() / (region.sum() * 3 * len(output))
    return float(10 * torch.log10(4 / squared))


@torch.no_grad()
def set_latent_statistics(model: MiniAutoencoder, pictures: Tensor) -> None:
    """Make the latents of `pictures` zero-mean and unit-variance per channel."""
    model.latent_mean.zero_()
    model.latent_std.fill_(1)
    latents = model.encode(pictures)
    model.latent_mean.copy_(latents.mean((0, 2, 3), keepdim=True))
    model.latent_std.copy_(latents.std((0, 2, 3), keepdim=True))


def train_autoencoder(
    stills: Path, folder: Path, *, minutes: float, batch: int = 24, rate: float = 1.5e-3, seed: int = 0
) -> MiniAutoencoder:
    """Train within the time budget (resuming `folder`) and return the averaged model, latents normalised."""
    data = np.load(stills)
    held_out = to_model_range(np.array(data[:64]))
    torch.manual_seed(seed)
    model = MiniAutoencoder()
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4)
    run = Run(folder, model, optimizer, minutes=minutes, seed=seed, decay=0.995)
    region = mask_image("face", data.shape[1])
    judge = MiniAutoencoder.from_config(model.config)
    for step in run.steps():
        target, top, left = draw_crops(data, batch, run.generator)
        latents = model.encode(target)
        output = model.decode(latents + LATENT_NOISE * torch.randn_like(latents))
        loss = reconstruction_loss(
            output, target, _detail_weight(target, region[:, top : top + CROP, left : left + CROP])
        )
        norm = run.descend(loss + LATENT_PENALTY * latents.square().mean())
        if step % 100 == 0:
            judge.load_state_dict(run.average.weights)
            with torch.no_grad():
                quality = psnr(judge(held_out), held_out, region)
                whole = psnr(judge(held_out), held_out, torch.ones_like(region))
            run.log.write(
                {
                    "step": step,
                    "minutes": run.seconds / 60,
                    "loss": float(loss.detach()),
                    "norm": norm,
                    "psnr_face": quality,
                    "psnr": whole,
                }
            )
    judge.load_state_dict(run.average.weights)
    set_latent_statistics(judge, to_model_range(np.array(data[64:576])))
    return judge.eval()
