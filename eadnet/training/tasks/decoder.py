"""Teach the autoencoder's decoder on, with clips: what holds still in the world shall hold still on screen.

An autoencoder that has only seen stills owes nothing to the next frame: where an eyelid moves, the calm cheek
beside it changes a little too. The encoder stays as it is, and with it all that a denoiser has learned.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..faces.masks import mask_image
from ..modules.autoencoder import MiniAutoencoder
from .autoencoder import (
    CROP,
    LATENT_NOISE,
    detail_weight,
    draw_corners,
    flicker,
    psnr,
    reconstruction_loss,
    to_model_range,
)
from .dataset import ClipSet
from .run import Run

RATE = 6e-4
MOTION_WEIGHT = 4.0
JUDGED_EVERY, JUDGED_CLIPS, JUDGED_FRAMES = 250, 16, 8


def teach_decoder_on(
    model: MiniAutoencoder,
    clips: ClipSet,
    held_out: ClipSet,
    folder: Path,
    *,
    minutes: float = 0.0,
    steps: int | None = None,
    pairs: int = 8,
    seed: int = 0,
) -> MiniAutoencoder:
    """Train within the budget of minutes, or of steps if given, resuming `folder`; the averaged model.

    The log has PSNR in the face and flicker, as a multiple of the true renders' (`metrics.temporal`), on
    `held_out`.
    """
    model.encoder.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.decoder.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    run = Run(folder, model, optimizer, minutes=minutes, steps=steps, seed=seed, decay=0.995)
    region = mask_image("face", clips.frames.shape[2])
    judge = MiniAutoencoder.from_config(model.config)
    for step in run.steps():
        target, part = draw_pairs(clips, region, pairs, run.generator)
        with torch.no_grad():
            latents = model.encode(target.flatten(0, 1)).unflatten(0, (pairs, 2))
            # One error for both frames of a pair: the sampler's hardly changes from one to the next.
            latents = latents + LATENT_NOISE * torch.randn_like(latents[:, :1])
        output = model.decode(latents.flatten(0, 1))
        flat = target.flatten(0, 1)
        weight = detail_weight(flat, part.repeat_interleave(2, 0))
        likeness = reconstruction_loss(output, flat, weight)
        motion = motion_loss(output.unflatten(0, (pairs, 2)), target, part)
        norm = run.descend(likeness + MOTION_WEIGHT * motion)
        if step % JUDGED_EVERY == 0:
            judge.load_state_dict(run.average.weights)
            losses = {"likeness": float(likeness.detach()), "motion": float(motion.detach()), "norm": norm}
            run.log.write(
                {"step": step, "minutes": run.seconds / 60} | losses | judged(judge, held_out, region)
            )
    judge.load_state_dict(run.average.weights)
    return judge.eval()


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


def motion_loss(output: Tensor, target: Tensor, part: Tensor) -> Tensor:
    """L1 between the changes of pairs [B, 2, 3, H, W], in the face [B, 1, H, W] alone."""
    wrong = (output.diff(dim=1) - target.diff(dim=1)).abs().squeeze(1)
    return (part * wrong).mean()


@torch.no_grad()
def judged(model: MiniAutoencoder, clips: ClipSet, region: Tensor) -> dict[str, float]:
    """Means over held-out clips: PSNR in the face, and flicker as a multiple of the true renders'."""
    quality, multiples = [], []
    for row in range(min(JUDGED_CLIPS, len(clips))):
        truth = to_model_range(clips.frames[row, :JUDGED_FRAMES])
        coded = model(truth).clamp(-1, 1)
        quality.append(psnr(coded, truth, region))
        multiples.append(flicker(coded, truth, region) / max(flicker(truth, truth, region), 1e-6))
    return {"psnr_face": float(np.mean(quality)), "flicker": float(np.nanmean(multiples))}
