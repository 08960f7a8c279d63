"""Fine-tune the VAE's decoder on clips: what is still in the clip is to be still in the video.

A VAE trained on stills alone is not consistent over time: where an eyelid moves, the calm cheek
beside it changes a little too. The encoder stays as it is, and with it everything a U-Net has learned.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...faces.masks import mask_image
from ...modules.autoencoder import MiniAutoencoder
from ..data.clips import ClipSet
from ..data.images import to_model_range
from ..losses.reconstruction import detail_weight, motion_loss, reconstruction_loss
from ..trainer import Trainer
from .autoencoder import CROP, LATENT_NOISE, draw_corners, flicker, psnr

LEARNING_RATE = 6e-4
MOTION_WEIGHT = 4.0
EVALUATED_EVERY, EVALUATED_CLIPS, EVALUATED_FRAMES = 250, 16, 8


def finetune_decoder(
    model: MiniAutoencoder,
    clips: ClipSet,
    held_out: ClipSet,
    folder: Path,
    mask_region: str,
    *,
    minutes: float = 0.0,
    steps: int | None = None,
    pairs: int = 8,
    seed: int = 0,
) -> MiniAutoencoder:
    """Train within the budget of minutes, or of steps if given, resuming `folder`; the averaged model.

    The log has PSNR in the face and flicker, as a multiple of the true clips' (`metrics.temporal`), on
    `held_out`.
    """
    model.encoder.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.decoder.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-4
    )
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps, seed=seed, decay=0.995)
    region = mask_image(mask_region, clips.frames.shape[2])
    averaged = MiniAutoencoder.from_config(model.config)
    for step in trainer.steps():
        target, part = draw_pairs(clips, region, pairs, trainer.generator)
        with torch.no_grad():
            latents = model.encode(target.flatten(0, 1)).unflatten(0, (pairs, 2))
            # One error for both frames of a pair: the sampler's hardly changes from one to the next.
            latents = latents + LATENT_NOISE * torch.randn_like(latents[:, :1])
        output = model.decode(latents.flatten(0, 1))
        flat = target.flatten(0, 1)
        weight = detail_weight(flat, part.repeat_interleave(2, 0))
        likeness = reconstruction_loss(output, flat, weight)
        motion = motion_loss(output.unflatten(0, (pairs, 2)), target, part)
        norm = trainer.optimize(likeness + MOTION_WEIGHT * motion)
        if step % EVALUATED_EVERY == 0:
            averaged.load_state_dict(trainer.average.weights)
            losses = {"likeness": float(likeness.detach()), "motion": float(motion.detach()), "norm": norm}
            trainer.write(
                {"step": step, "minutes": trainer.seconds / 60}
                | losses
                | evaluated(averaged, held_out, region)
            )
    averaged.load_state_dict(trainer.average.weights)
    return averaged.eval()


def draw_pairs(
    clips: ClipSet, region: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Crops of neighbouring frames [count, 2, 3, C, C], and their parts of the region [count, 1, C, C]."""
    rows = torch.randint(len(clips), (count,), generator=generator).tolist()
    starts = torch.randint(clips.frames.shape[1] - 1, (count,), generator=generator).tolist()
    corners = draw_corners(clips.frames.shape[2], count, generator)
    crops = [
        to_model_range(clips.frames[r, t : t + 2, y : y + CROP, x : x + CROP])
        for r, t, (y, x) in zip(rows, starts, corners, strict=True)
    ]
    return torch.stack(crops), torch.stack([region[:, y : y + CROP, x : x + CROP] for y, x in corners])


@torch.no_grad()
def evaluated(model: MiniAutoencoder, clips: ClipSet, region: Tensor) -> dict[str, float]:
    """Means over held-out clips: PSNR in the face, and flicker as a multiple of the true clips'."""
    quality, multiples = [], []
    for row in range(min(EVALUATED_CLIPS, len(clips))):
        truth = to_model_range(clips.frames[row, :EVALUATED_FRAMES])
        coded = model(truth).clamp(-1, 1)
        quality.append(psnr(coded, truth, region))
        multiples.append(flicker(coded, truth, region) / max(flicker(truth, truth, region), 1e-6))
    return {"psnr_face": float(np.mean(quality)), "flicker": float(np.nanmean(multiples))}
