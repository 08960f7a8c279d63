"""Train the `mini` autoencoder on rendered stills."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces.masks import mask_image
from ..metrics.temporal import STILL
from ..modules.autoencoder import MiniAutoencoder
from .run import Run

logger = logging.getLogger(__name__)

# The networks are convolutional: a crop teaches as much per pixel as a picture, and most of it is face.
CROP = 64
LATENT_NOISE = 0.1  # decoding must forgive the sampler's small errors
LATENT_PENALTY = 1e-3
# Without a weight of their own, colours lose to edges: four channels then hold a grey picture.
COLOUR_WEIGHT = 2.0


def to_model_range(pictures: np.ndarray) -> Tensor:
    """uint8 [..., H, W, 3] to float32 [..., 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).movedim(-1, -3).float() / 127.5 - 1


def _gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def _chroma(x: Tensor) -> Tensor:
    """Red against green, and blue against both: the picture without its brightness, [B, 2, H, W]."""
    red, green, blue = x.unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], 1)


def reconstruction_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 on pixels, on their differences at two scales, which keeps edges of lids and lips, and on
    colour at half size.
    """
    loss = (weight * (output - target).abs()).mean()
    for scale in (1, 2):
        a, b = (F.avg_pool2d(v, scale) for v in (output, target))
        w = F.avg_pool2d(weight, scale)
        for da, db in zip(_gradients(a), _gradients(b), strict=True):
            loss = loss + (w[..., : da.shape[-2], : da.shape[-1]] * (da - db).abs()).mean()
    colours = (F.avg_pool2d(_chroma(v), 2) for v in (output, target))
    return loss + COLOUR_WEIGHT * (F.avg_pool2d(weight, 2) * torch.sub(*colours).abs()).mean()


def detail_weight(target: Tensor, region: Tensor) -> Tensor:
    """The face counts three times, and its busy pixels (eyes, lips, brows) more than its cheeks."""
    local = F.avg_pool2d(target.mean(1, keepdim=True), 9, 1, 4, count_include_pad=False)
    busy = (target.mean(1, keepdim=True) - local).abs().clamp(max=0.5)
    return 0.3 + region * (0.7 + 4 * busy)


def draw_crops(
    data: np.ndarray, region: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """`count` crops [count, 3, CROP, CROP], mostly of the face, and their parts of the region [1, H, W].

    Rows 0 ... 63 of the data are held out.
    """
    rows = torch.randint(64, len(data), (count,), generator=generator).tolist()
    corners = draw_corners(data.shape[1], count, generator)
    crops = [data[r, y : y + CROP, x : x + CROP] for r, (y, x) in zip(rows, corners, strict=True)]
    parts = [region[:, y : y + CROP, x : x + CROP] for y, x in corners]
    return to_model_range(np.stack(crops)), torch.stack(parts)


def draw_corners(size: int, count: int, generator: torch.Generator) -> list[list[int]]:
    """Upper left corners (y, x) of crops, mostly of the face, on the latents' grid."""
    cells = (size - CROP) // 8
    # The face lies in the lower middle.
    share = torch.rand(count, 3, generator=generator)
    first = torch.where(share[:, 2:] < 0.75, torch.tensor([2.0, 1.0]), torch.zeros(2))
    return (8 * (first + share[:, :2] * (cells - first)).round().long()).tolist()


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
    *,
    minutes: float,
    start: MiniAutoencoder | None = None,
    batch: int = 16,
    rate: float = 1.5e-3,
    seed: int = 0,
) -> MiniAutoencoder:
    """Train within the time budget (resuming `folder`) and return the averaged model, latents normalised.

    `start` is a trained model to go on from.
    """
    data = np.load(stills, mmap_mode="r")
    held_out = to_model_range(np.array(data[:64]))
    torch.manual_seed(seed)
    model = start or MiniAutoencoder()
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-4)
    run = Run(folder, model, optimizer, minutes=minutes, seed=seed, decay=0.995)
    region = mask_image("face", data.shape[1])
    judge = MiniAutoencoder.from_config(model.config)
    for step in run.steps():
        target, part = draw_crops(data, region, batch, run.generator)
        latents = model.encode(target)
        output = model.decode(latents + LATENT_NOISE * torch.randn_like(latents))
        loss = reconstruction_loss(output, target, detail_weight(target, part))
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
