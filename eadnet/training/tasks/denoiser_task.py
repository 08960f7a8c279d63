"""One training step of the U-Net: conditions, the prediction and what it costs.

One loss with two parts: the error of the predicted velocity (Salimans and Ho 2022), and an *expression loss*:
a small frozen regressor predicts facial parameters from the one-step estimate of the clean latents, which are
compared with the truth. It is to expression and mouth what SyncNet supervision is to lip-sync, and it makes
both conditions bite early. Clips without facial parameters are trained without it. Reconstruction: the
paper's own training code is not public.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...dataset_format import FPS
from ...errors import InputError
from ...faces.masks import latent_mask, mask_image
from ...modules.autoencoder import FACTOR
from ...modules.conditioned_unet import ConditionedUNet
from ...modules.graphed_unet import GraphedUNet
from ...modules.parameter_regressors import LatentParameterRegressor
from ...modules.stda import DIRECTIONS, STDA
from ...modules.unet import EADUNet
from ...presets import Preset
from ..data.latent_crop import LatentCrop
from ..data.latents import Batch, LatentSet
from ..losses.snr import min_snr_weight
from ..regressors.targets import ParameterTargets
from .diffusion import Diffusion

# Long windows train the temporal modules, short ones show more people and sentences for the same work.
LONG, SHORT = 16, 4
OUTSIDE_WEIGHT, LOWER_FACE_WEIGHT = 0.1, 2.0
DROP_AUDIO, DROP_TEXT, DROP_BOTH = 0.06, 0.06, 0.04
# Samples are drawn with all noise shared, as LatentSync's are: then nothing shimmers that the conditions do
# not move. Training shares half of its variance.
TRAINING_SHARED_NOISE = 0.5


def loss_weight(region: Tensor, side: int) -> Tensor:
    """Weight [1, side, side] per latent site: little outside `region` [1, R, R], double on the lower face."""
    inside = F.adaptive_avg_pool2d(region, side)
    rows = torch.linspace(0, 1, side)[None, :, None]
    lower = torch.where(rows > 0.6, LOWER_FACE_WEIGHT, 1.0)
    return OUTSIDE_WEIGHT + inside * lower


class DenoiserTask:
    """Everything one training step of the U-Net needs; the loop itself is `denoiser.train_denoiser`."""

    def __init__(
        self,
        model: ConditionedUNet,
        preset: Preset,
        regressor: LatentParameterRegressor | None = None,
        targets: ParameterTargets | None = None,
        *,
        shared_noise: float = TRAINING_SHARED_NOISE,
    ) -> None:
        """
        Args:
            model: what is trained.
            preset: resolution, mask and noise schedule.
            regressor: predicts facial parameters for the expression loss; None, and there is none.
            targets: what it is to predict; None for clips without facial parameters.
            shared_noise: of the noise's variance, what all frames of a clip share.
        """
        region = mask_image(preset.mask_region, preset.resolution)
        self.preset, self.shared_noise = preset, shared_noise
        self.model, self.regressor, self.targets = model, regressor, targets
        self.diffusion = Diffusion.of(preset.scheduler_config)
        self.weight = loss_weight(region, preset.resolution // FACTOR)
        self.keep = latent_mask(region)
        self.crop = LatentCrop.around(region)
        self.windows = (LONG, SHORT)
        self.min_snr = 0.0
        self.mouth = 1.0
        self.bf16 = False
        self.graphed: GraphedUNet | None = None
        self._tokenized: dict[str, dict[str, Tensor]] = {}

    def with_model(self, model: ConditionedUNet) -> DenoiserTask:
        """The same task for another model; all else is shared."""
        other = copy.copy(self)
        other.model = model
        return other

    @property
    def weighs_expression(self) -> bool:
        """Whether there is an expression loss to weigh."""
        return self.regressor is not None and self.targets is not None

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def to(self, device: torch.device | str) -> DenoiserTask:
        """Move everything that a step touches. Raises InputError for a device that is not there."""
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"The device {device} cannot be used: choose cpu or another one.") from error
        self.model.to(device)
        self.weight, self.keep = self.weight.to(device), self.keep.to(device)
        self.diffusion = Diffusion(self.diffusion.alphas.to(device))
        if self.regressor is not None:
            self.regressor.to(device)
        if self.targets is not None:
            self.targets = self.targets.to(device)
        return self

    def draw(self, data: LatentSet, count: int, window: int, generator: torch.Generator) -> Batch:
        """A batch on the task's device, drawn on the processor, so that a seed means the same everywhere."""
        return data.draw(count, window, generator).to(self.device)

    def heard(self, data: LatentSet, batch: Batch) -> Tensor:
        """What the clips of a batch say, for losses that listen: waveforms [B, S] at 16 kHz."""
        return data.waveforms(batch.clips).to(self.device)

    def conditions(
        self, data: LatentSet, batch: Batch, drop: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Audio and text tokens of a batch. With a generator other speakers may say it, and conditions are
        dropped for classifier-free guidance.
        """
        count, window = batch.target.shape[:2]
        waveforms = data.waveforms(batch.clips, drop).to(self.device)
        encoder = self.model.audio_encoder
        audio = encoder.encode_windows(encoder.log_mel(waveforms), FPS, window, batch.starts)
        described = [data.texts[i] for i in batch.clips.tolist()]
        texts = [entry["text"] for entry in described]
        later = [entry.get("later", entry["text"]) for entry in described]
        if drop is not None:
            share = torch.rand(count, generator=drop)
            no_audio = (share < DROP_AUDIO) | (share > 1 - DROP_BOTH)
            no_text = (share >= DROP_AUDIO) & (share < DROP_AUDIO + DROP_TEXT) | (share > 1 - DROP_BOTH)
            audio = audio * (~no_audio)[:, None, None, None].to(audio.device)
            texts, later = (
                ["" if none else text for none, text in zip(no_text.tolist(), given, strict=True)]
                for given in (texts, later)
            )
        emotion = self._encode_texts(texts)
        if data.changes is None:
            return audio, emotion
        # Mixed as `captions.timeline.blend` mixes the sentences of a timeline.
        share = data.changes_in(batch, window).to(self.device)[..., None, None]
        change = self._encode_texts(later) - emotion
        return audio, emotion[:, None] + share * change[:, None]

    def _encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Tokens [B, L, D] of sentences that come again and again: each is tokenized once."""
        encoder = self.model.text_encoder
        for text in set(texts) - set(self._tokenized):
            self._tokenized[text] = encoder.tokenize([text])
        grams, mask = (
            torch.cat([self._tokenized[text][part] for text in texts]).to(self.device)
            for part in ("grams", "mask")
        )
        return encoder(grams, mask)

    def velocity(
        self, noisy: Tensor, timesteps: Tensor, batch: Batch, audio: Tensor, emotion: Tensor
    ) -> Tensor:
        """The predicted velocity. All latents are [B, T, 4, h, w], whole or cropped to the face."""
        count, window = noisy.shape[:2]
        keep = self._as_large_as(noisy, self.keep)
        keep = keep.expand(count, window, *keep.shape)
        reference = batch.reference[:, None].expand_as(noisy)
        sample = torch.cat([noisy, keep, batch.masked, reference], 2).transpose(1, 2)
        if self.graphed:
            velocity = self.graphed(sample, timesteps, audio, emotion)
        else:
            with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.bf16):
                velocity = self.model.unet(sample, timesteps, audio, emotion)
        return velocity.float().transpose(1, 2)

    def _as_large_as(self, latents: Tensor, map: Tensor) -> Tensor:
        return map if latents.shape[-1] == map.shape[-1] else self.crop.crop(map)

    def cropped(self, batch: Batch) -> Batch:
        """The batch's latents cropped to the face."""
        crop = self.crop.crop
        return replace(
            batch, target=crop(batch.target), masked=crop(batch.masked), reference=crop(batch.reference)
        )

    def losses(
        self, noisy: Tensor, velocity: Tensor, truth: Tensor, alpha: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        """The losses `velocity` and, where there is a regressor, `expression`."""
        squared = self._as_large_as(noisy, self.weight) * (velocity - truth) ** 2
        if self.min_snr > 0:
            squared = min_snr_weight(alpha, self.min_snr) * squared
        losses = {"velocity": squared.mean()}
        if self.regressor is not None and self.targets is not None:
            estimate = self.crop.crop(self.diffusion.clean_estimate(noisy, velocity, alpha))
            predicted = self.regressor(estimate, self.crop.crop(batch.reference))
            wanted = self.targets(batch.params, batch.openings)
            differences = F.smooth_l1_loss(predicted, wanted, reduction="none")
            weights = torch.where(self.targets.spoken, self.mouth, 1.0)
            losses["expression"] = (weights * differences).mean()
        return losses


def switch_stda(unet: EADUNet, on: bool) -> None:
    """Switched off, STDA gives its input back."""
    for module in unet.modules():
        if isinstance(module, STDA):
            module.directions = DIRECTIONS if on else ()
