"""One training step of EAD-Net's parts on a LatentSync U-Net: the error of the predicted noise.

LatentSync (arXiv 2412.09262) is trained to predict the noise in the latents of 16 frames, given the masked
frames, other frames of the same person, and Whisper's features; EAD-Net (arXiv 2604.23325) adds a sentence.
Half of the noise's variance is shared by the frames of a window, as LatentSync's "mixed" noise is. Which
weights are trained is the caller's choice. Reconstruction: EAD-Net's own training code is not public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...dataset_format import FPS
from ...errors import InputError
from ...faces.masks import latent_mask, mask_image, masked_picture
from ...modules.slices import slice_features
from ...sampling import Conditions
from ..data.prepared import PreparedClip
from ..losses.supervision import Supervision
from .denoiser_task import DROP_AUDIO, DROP_BOTH, DROP_TEXT, TRAINING_SHARED_NOISE
from .diffusion import Diffusion, mixed_noise

LEVELS = (125, 375, 625, 875)  # timesteps at which held-out clips are measured
_TOGETHER = 16  # pictures that are encoded at a time


@dataclass(frozen=True)
class FrozenEncoders:
    """What makes latents and tokens of a clip; None where the set holds them already.

    vae    encodes pictures in [-1, 1] to scaled latents
    audio  a `SpeechEncoder`
    text   encodes sentences to tokens [n, L, D]
    """

    vae: Any
    audio: Any
    text: Any

    def to(self, device: torch.device) -> FrozenEncoders:
        """All of them on a device, frozen."""
        for network in (self.vae, self.audio, self.text):
            if network is not None:
                network.to(device).eval().requires_grad_(False)
        return self


class AdapterTask:
    """What a step needs beside the U-Net.

    Args:
        scheduler_config: of the noise; its prediction is epsilon.
        mask_region, resolution: of the crops.
        encoders: frozen.
        device: where they are.
        supervision: of decoded frames, beside the error of the noise; None: none.
    """

    def __init__(
        self,
        scheduler_config: dict[str, Any],
        mask_region: str,
        resolution: int,
        encoders: FrozenEncoders,
        device: torch.device,
        supervision: Supervision | None = None,
    ) -> None:
        if scheduler_config.get("prediction_type", "epsilon") != "epsilon":
            raise InputError("The base predicts no noise (epsilon): choose a LatentSync U-Net.")
        self.diffusion = Diffusion(Diffusion.of(scheduler_config).alphas.to(device))
        self.resolution, self.device = resolution, device
        self.region = mask_image(mask_region, resolution)
        self.keep = latent_mask(self.region).to(device)
        self.encoders = encoders.to(device)
        self.supervision = None if supervision is None else supervision.to(device)
        self.parts: dict[str, float] = {}  # of the last loss that was supervised, for the log
        self._tokens: dict[str, Tensor] = {}

    def loss(self, unet: nn.Module, clips: Sequence[PreparedClip]) -> Tensor:
        """The mean squared error of the noise of some clips, each at a noise level of its own, and what the
        supervision adds.
        """
        conditions = [self.conditions(clip) for clip in clips]
        drawn = [self._drawn(one, clip.generator) for one, clip in zip(conditions, clips, strict=True)]
        timesteps = torch.stack([level for level, _ in drawn])
        noise = torch.stack([noise for _, noise in drawn]).to(self.device)
        audio, emotion = zip(
            *(self._left_out(one, clip.generator) for one, clip in zip(conditions, clips, strict=True)),
            strict=True,
        )
        error, estimate = self._error(
            unet, conditions, timesteps, noise, torch.stack(audio), torch.stack(emotion)
        )
        if self.supervision is None:
            return error
        supervised = self.supervision(estimate, torch.stack([one.target for one in conditions]), clips)
        self.parts = {"noise": float(error.detach()), **self.supervision.parts}
        return error + supervised

    @torch.no_grad()
    def held_out(self, unet: nn.Module, clips: Sequence[PreparedClip]) -> float:
        """The same error on clips with all their conditions, at fixed levels and from fixed noise."""
        total = 0.0
        for clip in clips:
            one = self.conditions(clip)
            for level in LEVELS:
                generator = torch.Generator().manual_seed(level)
                noise = mixed_noise(one.target[None].shape, TRAINING_SHARED_NOISE, generator).to(self.device)
                timesteps = torch.tensor([level])
                given = (one.audio[None], one.emotion[None])
                total += float(self._error(unet, [one], timesteps, noise, *given)[0])
        return total / (len(clips) * len(LEVELS))

    def _error(
        self,
        unet: nn.Module,
        conditions: Sequence[ClipConditions],
        timesteps: Tensor,
        noise: Tensor,
        audio: Tensor,
        emotion: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The error of the noise, and the clean latents [B, T, 4, h, w] that follow from it."""
        timesteps = timesteps.to(self.device)
        target, masked, reference = (
            torch.stack([getattr(one, name) for one in conditions])
            for name in ("target", "masked", "reference")
        )
        noisy, _, alpha = self.diffusion.noised(target, noise, timesteps)
        keep = self.keep.expand(*target.shape[:2], -1, -1, -1)
        sample = torch.cat([noisy, keep, masked, reference], 2).transpose(1, 2)
        if sample.device.type == "cpu" and torch.is_grad_enabled():
            # torch 2.13's GroupNorm crashes there where its weights take a gradient and its input none.
            sample.requires_grad_()
        predicted = unet(sample, timesteps, audio, emotion).float().transpose(1, 2)
        estimate = (noisy - (1 - alpha).sqrt() * predicted) / alpha.sqrt()
        return F.mse_loss(predicted, noise), estimate

    def _drawn(self, one: ClipConditions, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A clip's noise level and noise [T, 4, h, w], drawn on the processor."""
        level = torch.randint(len(self.diffusion.alphas), (), generator=generator)
        return level, mixed_noise(one.target[None].shape, TRAINING_SHARED_NOISE, generator)[0]

    def _left_out(self, one: ClipConditions, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sound and sentence, of which now and then one or both are empty, for classifier-free guidance."""
        share = float(torch.rand((), generator=generator))
        no_audio = share < DROP_AUDIO or share > 1 - DROP_BOTH
        no_text = DROP_AUDIO <= share < DROP_AUDIO + DROP_TEXT or share > 1 - DROP_BOTH
        audio = torch.zeros_like(one.audio) if no_audio else one.audio
        return audio, self.null() if no_text else one.emotion

    @torch.no_grad()
    def conditions(self, clip: PreparedClip) -> ClipConditions:
        """What the frozen networks make of a clip, where the set does not have it already."""
        audio = self._audio(clip).to(self.device)
        if clip.tokens is not None:
            emotion = clip.tokens.float().to(self.device)
        else:
            emotion = self._encode_text(clip.caption)
        if clip.latents is not None:
            parts = {name: value.to(self.device) for name, value in clip.latents.items()}
        else:
            assert clip.pictures is not None and clip.reference is not None
            pictures, reference = (self._model_range(p) for p in (clip.pictures, clip.reference))
            made = self._encode(torch.cat([pictures, masked_picture(pictures, self.region), reference]))
            parts = dict(zip(("target", "masked", "reference"), made.chunk(3), strict=True))
        return ClipConditions(**parts, audio=audio, emotion=emotion)

    def null(self) -> Tensor:
        """The tokens of the sentence that says nothing, [L, D]."""
        return self._encode_text("")

    def sampling_conditions(self, clip: PreparedClip) -> Conditions:
        """A clip's conditions as the sampler takes them."""
        one = self.conditions(clip)
        return Conditions(
            masked_latents=one.masked,
            mask=self.keep.expand(len(one.masked), -1, -1, -1),
            reference_latents=one.reference,
            audio=one.audio,
            emotion=one.emotion,
            null_emotion=self.null(),
        )

    def _model_range(self, pictures: np.ndarray) -> Tensor:
        if pictures.shape[1] != self.resolution:
            raise InputError(
                f"The set has crops of {pictures.shape[1]} pixels and the U-Net takes {self.resolution}: "
                "prepare the set at that resolution."
            )
        return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1

    def _encode(self, pictures: Tensor) -> Tensor:
        weight = next(self.encoders.vae.parameters())
        return torch.cat([self.encoders.vae.encode(p.to(weight)).float() for p in pictures.split(_TOGETHER)])

    def _audio(self, clip: PreparedClip) -> Tensor:
        """Tokens [T, N, D] of the window's frames."""
        window = len(clip.pictures) if clip.latents is None else len(clip.latents["target"])  # type: ignore[arg-type]
        rows = clip.rows
        if rows is None:
            rows = self.encoders.audio.all_rows(torch.from_numpy(clip.sound).to(self.device))
        return slice_features(rows.float(), FPS, window, clip.start)

    def _encode_text(self, text: str) -> Tensor:
        if text not in self._tokens:
            if len(self._tokens) > 2_000:
                self._tokens.clear()
            with torch.no_grad():
                self._tokens[text] = self.encoders.text.encode([text])[0].float()
        return self._tokens[text]


@dataclass(frozen=True)
class ClipConditions:
    """Of one window: target, masked, reference [T, 4, h, w], audio [T, N, D], emotion [L, De]."""

    target: Tensor
    masked: Tensor
    reference: Tensor
    audio: Tensor
    emotion: Tensor
