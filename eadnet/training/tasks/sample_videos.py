"""Held-out clips as videos while the U-Net is trained: each clip, with what is generated beside it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ...dataset_format import FPS, SAMPLE_RATE
from ...faces.masks import mask_image
from ...media.lengths import Length
from ...media.reader import PicturesInMemory
from ...media.speech import SpeechInMemory
from ...media.video import write_video
from ...modules.autoencoder import MiniAutoencoder
from ...rendering import CentreCropper, Networks, RenderSettings, Scene, render_frames
from ..data.clips import ClipSet
from .denoiser_task import DenoiserTask


class SampleVideos:
    """Called with a step, writes `step_0001000_clip_0.mp4` for each of some clips into `folder`."""

    def __init__(
        self,
        task: DenoiserTask,
        vae: MiniAutoencoder,
        held_out: ClipSet,
        folder: Path,
        clips: int = 2,
        frames: int = 16,
        steps: int = 8,
    ) -> None:
        self.task, self.vae, self.held_out, self.folder = task, vae.eval(), held_out, folder
        self.clips, self.frames, self.steps = clips, min(frames, held_out.frames.shape[1]), steps

    @torch.no_grad()
    def __call__(self, step: int) -> None:
        """From fixed noise, with the weights of this step; the training's random numbers are not touched."""
        for clip in range(min(self.clips, len(self.held_out))):
            speech = self.held_out.waveform(clip)[: self.frames * SAMPLE_RATE // FPS]
            sampling = RenderSettings(seed=clip, steps=self.steps).sampling(self.task.preset)
            made = np.stack(list(render_frames(self._networks(), self._scene(clip, speech), sampling)))
            pictures = np.concatenate([self.held_out.frames[clip, : self.frames], made], 2)
            write_video(
                self.folder / f"step_{step:07}_clip_{clip}.mp4", pictures, FPS, speech[None], SAMPLE_RATE
            )

    def _networks(self) -> Networks:
        model = self.task.model
        return Networks(
            unet=model.unet,
            audio_encoder=model.audio_encoder,
            tfrm=None,
            encode=self.vae.encode,
            decode=lambda latents: self.vae.decode(latents.float().cpu()),
            identity=(),  # nothing resumes these videos
        )

    def _scene(self, clip: int, speech: torch.Tensor) -> Scene:
        """The calm reference of a clip, saying its sound with its text."""
        preset = self.task.preset
        region = mask_image(preset.mask_region, preset.resolution)
        emotion, null = self.task.model.text_encoder.encode([self.held_out.texts[clip]["text"], ""]).cpu()
        return Scene(
            sources=(),
            sound=None,
            pictures=PicturesInMemory(self.held_out.references[clip, :1], FPS),
            cropper=CentreCropper(region),
            region=region,
            speech=SpeechInMemory(speech),
            fps=Fraction(FPS),
            length=Length(self.frames, 1, "hold"),
            emotion=emotion,
            null_emotion=null,
            silence_gate=False,
        )
