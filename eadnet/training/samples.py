"""Held-out clips as videos while the denoiser is trained: truth on the left, what it makes on the right."""

from __future__ import annotations

from pathlib import Path

import torch

from ..faces.masks import composite, feathered, mask_image
from ..media.video import write_video
from ..modules.autoencoder import MiniAutoencoder
from ..presets import PRESETS
from ..rendering import RenderSettings
from ..sampling import Conditions, sample
from .dataset import FPS, RATE
from .denoiser import DenoiserTask
from .latents import LatentSet


class SampleVideos:
    """Called with a step, writes `step_0001000.mp4` for each of some clips into `folder`."""

    def __init__(
        self,
        task: DenoiserTask,
        vae: MiniAutoencoder,
        held_out: LatentSet,
        folder: Path,
        clips: int = 2,
        frames: int = 16,
        steps: int = 8,
    ) -> None:
        self.task, self.vae, self.held_out, self.folder = task, vae.eval(), held_out, folder
        self.clips, self.frames, self.steps = clips, min(frames, held_out.target.shape[1]), steps

    @torch.no_grad()
    def __call__(self, step: int) -> None:
        """From fixed noise, with the weights of this step; the training's random numbers are not touched."""
        for clip in range(min(self.clips, len(self.held_out))):
            truth, made = (self.vae.decode(x).clamp(-1, 1) for x in self._latents(clip))
            region = mask_image("face", truth.shape[-1])
            made = composite(made, truth, feathered(region, truth.shape[-1] // 32))
            both = torch.cat([truth, made], -1).movedim(1, -1)
            pictures = ((both + 1) * 127.5).round().byte().numpy()
            speech = self.held_out.waveforms(torch.tensor([clip]))[:, : self.frames * RATE // FPS]
            out = self.folder / f"step_{step:07}_clip_{clip}.mp4"
            write_video(out, pictures, FPS, speech, RATE)

    def _latents(self, clip: int) -> tuple[torch.Tensor, torch.Tensor]:
        """True and sampled latents [T, 4, h, w]."""
        data, frames, talker = self.held_out, self.frames, self.task.talker
        target = data.target[clip, :frames].float()
        device = self.task.device
        speech = data.waveforms(torch.tensor([clip]))[0].to(device)
        text = [data.texts[clip]["text"], ""]
        emotion, null = talker.text_encoder.encode(text).cpu()
        conditions = Conditions(
            masked_latents=data.masked[clip, :frames].float(),
            mask=self.task.keep.cpu()[None].expand(frames, -1, -1, -1),
            reference_latents=data.reference[clip, 0].float()[None].expand(frames, -1, -1, -1),
            audio=talker.audio_encoder.encode_speech(speech, FPS, frames).cpu(),
            emotion=emotion,
            null_emotion=null,
        )
        made = sample(
            talker.unet, conditions, RenderSettings(seed=clip, steps=self.steps).sampling(PRESETS["mini"])
        )
        return target, made.cpu()
