"""One training step of a model of motion: that of the U-Net on latents of pictures, on maps of a face.

The maps decode linearly, so the expression loss needs no regressor: the one-step estimate's parameters are
compared with the truth, frame by frame, and for the emotion also on average over the window. The encoders of
sound and text are frozen: the sound was encoded beforehand, and a sentence is encoded once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...dataset_format import FPS
from ...errors import InputError
from ...modules.conditioned_unet import ConditionedUNet
from ...modules.motion_codec import CHANNELS, MotionCodec
from ...modules.slices import slice_features
from ...presets import Preset
from ..data.motion import MotionBatch, MotionSet
from .denoiser_task import DROP_AUDIO, DROP_BOTH, DROP_TEXT, TRAINING_SHARED_NOISE, DenoiserTask
from .diffusion import Diffusion

KEPT = 0.4  # share of windows in which some of the motion is given
CHANGING = 0.15  # share of batches in which the feeling turns into another one
EMOTION_WEIGHT = 0.5  # of the window's mean, beside the frames
SPEECH_WEIGHT = 2.0
WINDOWS = (48, 16)  # frames: long ones train the temporal modules, short ones show more people


class MotionTask(DenoiserTask):
    """What a step of the motion model needs.

    Args:
        model: what is trained; its encoders stay as they are.
        codec: between parameters and maps.
        spoken: names of what the speech moves: it weighs more, and the emotion's mean leaves it out.
        fleeting: names of what comes and goes, which the mean leaves out, too.
        kept: groups of names of which any may be given.
    """

    def __init__(
        self,
        model: ConditionedUNet,
        preset: Preset,
        codec: MotionCodec,
        spoken: Sequence[str],
        fleeting: Sequence[str],
        kept: Sequence[Sequence[str]],
        *,
        shared_noise: float = TRAINING_SHARED_NOISE,
    ) -> None:
        self.preset, self.shared_noise = preset, shared_noise
        self.model, self.codec = model, codec.eval()
        self.model.audio_encoder.requires_grad_(False)
        self.model.text_encoder.requires_grad_(False)
        self.regressor = self.targets = None
        self.diffusion = Diffusion.of(preset.scheduler_config)
        self.spoken = torch.tensor([name in spoken for name in codec.names])
        self.lasting = torch.tensor([name not in (*spoken, *fleeting) for name in codec.names])
        # What neither sound nor sentence decides is the denoiser's alone: no estimate of it is the right one.
        self.decided = torch.tensor([name not in fleeting for name in codec.names])
        self.kept = [codec.keep_mask(names) for names in kept]
        speaks = codec.keep_mask(spoken)
        self.weight = 1 + (SPEECH_WEIGHT - 1) * speaks
        self.keep = torch.zeros_like(speaks)
        self.windows = WINDOWS
        self.min_snr, self.mouth, self.bf16 = 0.0, 1.0, False
        self.graphed = None
        self._tokens: dict[str, Tensor] = {}

    @property
    def weighs_expression(self) -> bool:
        return True

    def with_model(self, model: ConditionedUNet) -> MotionTask:
        other = copy.copy(self)
        other.model = model
        return other

    def learn_only(self, names: Sequence[str]) -> None:
        """Errors of other parameters cost nothing any more, so that they stay as they are.

        Raises InputError where none is left, or one is not of the map.
        """
        if not names:
            raise InputError("No facial parameter is left to learn: nothing moves in the recordings.")
        chosen = torch.tensor([name in names for name in self.codec.names])
        self.weight = self.weight * self.codec.cells(names)
        self.decided, self.lasting = self.decided & chosen, self.lasting & chosen

    def draw(  # type: ignore[override]
        self, data: MotionSet, count: int, window: int, generator: torch.Generator
    ) -> MotionBatch:
        """Windows of random recordings, each performed anew."""
        clips = torch.randint(len(data), (count,), generator=generator)
        starts = torch.randint(data.frames - window + 1, (count,), generator=generator)
        changes = float(torch.rand((), generator=generator)) < CHANGING
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        takes = data.perform(clips, starts, window, rng, changes)
        params = torch.from_numpy(np.stack([take.params for take in takes]))
        target = self.codec.encode(params)
        keep = torch.stack([self._drawn_mask(generator) for _ in range(count)])
        return MotionBatch(
            target=target,
            masked=target * keep[:, None],
            reference=self.codec.encode(torch.from_numpy(np.stack([take.rest for take in takes]))),
            params=params,
            openings=None,
            clips=clips,
            starts=starts,
            keep=keep,
            texts=tuple(take.text for take in takes),
            later=tuple(take.later for take in takes),
            change=torch.from_numpy(np.stack([take.change for take in takes])).float(),
        )

    def _drawn_mask(self, generator: torch.Generator) -> Tensor:
        """A keep-mask [1, h, w]: most often of nothing, else of some of the groups."""
        mask = torch.zeros_like(self.keep)
        if float(torch.rand((), generator=generator)) < KEPT:
            share = float(torch.rand((), generator=generator))
            for group in self.kept:
                if float(torch.rand((), generator=generator)) < share:
                    mask = torch.maximum(mask, group)
        return mask

    def cropped(self, batch: MotionBatch) -> MotionBatch:  # type: ignore[override]
        """A map is all face."""
        return batch

    def heard(self, data: MotionSet, batch: MotionBatch) -> Tensor:  # type: ignore[override]
        """What the encoder heard around each frame, [B, T, L, D]."""
        rows = data.audio[batch.clips].float()
        return slice_features(rows.unsqueeze(-2), FPS, batch.target.shape[1], batch.starts)

    def conditions(  # type: ignore[override]
        self, data: MotionSet, batch: MotionBatch, drop: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Audio and text tokens of a batch; with a generator, conditions are dropped for guidance."""
        count, audio = len(batch.target), self.heard(data, batch)
        texts, later = batch.texts, batch.later
        if drop is not None:
            share = torch.rand(count, generator=drop)
            no_audio = (share < DROP_AUDIO) | (share > 1 - DROP_BOTH)
            no_text = ((share >= DROP_AUDIO) & (share < DROP_AUDIO + DROP_TEXT)) | (share > 1 - DROP_BOTH)
            audio = audio * (~no_audio)[:, None, None, None]
            texts, later = (
                tuple("" if none else text for none, text in zip(no_text.tolist(), given, strict=True))
                for given in (texts, later)
            )
        emotion = self._encode_texts(texts)
        if not batch.change.any():
            return audio, emotion
        change = self._encode_texts(later) - emotion
        return audio, emotion[:, None] + batch.change[..., None, None] * change[:, None]

    @torch.no_grad()
    def _encode_texts(self, texts: Sequence[str]) -> Tensor:
        new = sorted(set(texts) - set(self._tokens))
        if new:
            if len(self._tokens) > 20_000:
                self._tokens.clear()
                new = sorted(set(texts))
            self._tokens |= dict(zip(new, self.model.text_encoder.encode(new), strict=True))
        return torch.stack([self._tokens[text] for text in texts])

    def velocity(  # type: ignore[override]
        self, noisy: Tensor, timesteps: Tensor, batch: MotionBatch, audio: Tensor, emotion: Tensor
    ) -> Tensor:
        window = noisy.shape[1]
        keep = batch.keep[:, None].expand(-1, window, -1, -1, -1)
        reference = batch.reference[:, None].expand_as(noisy)
        sample = torch.cat([noisy, keep, batch.masked, reference], 2).transpose(1, 2)
        return self.model.unet(sample, timesteps, audio, emotion).float().transpose(1, 2)

    def losses(  # type: ignore[override]
        self, noisy: Tensor, velocity: Tensor, truth: Tensor, alpha: Tensor, batch: MotionBatch
    ) -> dict[str, Tensor]:
        """The losses `velocity` and `expression`; what is kept costs nothing."""
        free = (1 - batch.keep)[:, None]
        weight = self.weight * free
        squared = weight * (velocity - truth) ** 2
        estimate = self.diffusion.clean_estimate(noisy, velocity, alpha)
        found, wanted = (self.codec.standardised(free * maps) for maps in (estimate, batch.target))
        differences = F.smooth_l1_loss(found, wanted, reduction="none")
        expression = _mean((torch.where(self.spoken, self.mouth, 1.0) * differences)[..., self.decided])
        steady = _mean(F.smooth_l1_loss(found.mean(1), wanted.mean(1), reduction="none")[:, self.lasting])
        return {
            "velocity": squared.sum() / (weight.expand_as(squared).sum() + CHANNELS),
            "expression": expression + EMOTION_WEIGHT * steady,
        }


def _mean(values: Tensor) -> Tensor:
    """Their mean; 0 of none."""
    return values.mean() if values.numel() else values.sum()
