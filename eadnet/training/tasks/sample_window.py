"""A held-out window as the U-Net makes it, beside the real one: what is written while it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...dataset_format import FPS, SAMPLE_RATE
from ...media.video import write_video
from ...modules.unet import EADUNet
from ...sampling import Sampling, sample
from ..data.prepared import PreparedClip
from .adapter import AdapterTask


class SampleWindow:
    """Called with a step, writes `step_0001000.mp4` into `folder`: real left, made right, with the sound."""

    def __init__(
        self, folder: Path, scheduler_config: dict[str, Any], defaults: dict[str, float], steps: int = 20
    ) -> None:
        self.folder, self.scheduler_config = folder, scheduler_config
        self.defaults, self.steps = defaults, steps

    @torch.no_grad()
    def __call__(self, step: int, unet: EADUNet, task: AdapterTask, clip: PreparedClip) -> None:
        """From fixed noise; the training's random numbers are not touched."""
        conditions = task.sampling_conditions(clip)
        sampling = Sampling(
            scheduler_config=self.scheduler_config,
            steps=self.steps,
            audio_guidance=self.defaults.get("audio_guidance", 1.5),
            emotion_guidance=self.defaults.get("emotion_guidance", 1.0),
            shared_noise=self.defaults.get("shared_noise", 1.0),
            window=conditions.num_frames,
            overlap=0,
        )
        made = pictures_of(task.encoders.vae, sample(unet, conditions, sampling))
        real = clip.pictures
        if real is None:
            real = pictures_of(task.encoders.vae, task.conditions(clip).target)
        first = clip.start * SAMPLE_RATE // FPS
        sound = torch.from_numpy(clip.sound[first : first + len(made) * SAMPLE_RATE // FPS])
        write_video(
            self.folder / f"step_{step:07}.mp4",
            np.concatenate([real, made], 2),
            FPS,
            sound[None],
            SAMPLE_RATE,
        )


def pictures_of(vae: Any, latents: Tensor) -> np.ndarray:
    """uint8 [T, H, W, 3] of latents [T, 4, h, w]."""
    weight = next(vae.parameters())
    decoded = torch.cat([vae.decode(part.to(weight)).float().cpu() for part in latents.split(8)])
    return ((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()
