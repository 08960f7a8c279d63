"""Latents with the errors that the U-Net itself leaves: what TFRM is to remove.

Whole samples from pure noise differ from any truth by more than errors (another blink, another glance). So
true clips are partly noised and sampled back: they stay those clips, with the sampler's own flaws.
As SDEdit (arXiv 2108.01073) edits pictures. Reconstruction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.latents import Batch, LatentSet
from .denoiser_task import DenoiserTask
from .diffusion import mixed_noise

DEEPEST = 900  # of 1000 timesteps
WINDOW = 16


@torch.no_grad()
def sampled_back(
    task: DenoiserTask, data: LatentSet, batch: Batch, start: int, steps: int, generator: torch.Generator
) -> Tensor:
    """The batch's clips noised to timestep `start` and denoised in `steps` deterministic steps (DDIM)."""
    count = len(batch.clips)
    audio, text = task.conditions(data, batch, None)
    times = torch.linspace(start, 0, steps + 1).round().long().tolist()
    alphas = [*(float(task.diffusion.alphas[t]) for t in times[:-1]), 1.0]
    shared = task.preset.defaults["shared_noise"]
    noise = mixed_noise(batch.target.shape, shared, generator).to(task.device)
    timesteps = torch.full((count,), start, dtype=torch.long, device=task.device)
    latents, _, _ = task.diffusion.noised(batch.target, noise, timesteps)
    for time, alpha, after in zip(times, alphas, alphas[1:], strict=False):
        timesteps = torch.full((count,), time, dtype=torch.long, device=task.device)
        velocity = task.velocity(latents, timesteps, batch, audio, text)
        clean = alpha**0.5 * latents - (1 - alpha) ** 0.5 * velocity
        error = (1 - alpha) ** 0.5 * latents + alpha**0.5 * velocity
        latents = after**0.5 * clean + (1 - after) ** 0.5 * error
    return latents


def sampled_windows(
    task: DenoiserTask, data: LatentSet, count: int, generator: torch.Generator, batch: int = 4
) -> tuple[Tensor, Tensor]:
    """(clean, sampled back) windows [count, 16, 4, side, side] cropped to the face, on the CPU."""
    clean, sampled = [], []
    for _ in range(-(-count // batch)):
        drawn = task.cropped(task.draw(data, batch, WINDOW, generator))
        start = int(torch.randint(DEEPEST // 3, DEEPEST + 1, (1,), generator=generator))
        clean.append(drawn.target.cpu())
        sampled.append(sampled_back(task, data, drawn, start, 3, generator).cpu())
    return torch.cat(clean)[:count], torch.cat(sampled)[:count]
