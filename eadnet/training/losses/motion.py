"""The paper's supervision on maps of motion: SyncNet of sound against mouth, TREPA, TFRM in the loop.

The same losses as on latents of pictures, without a decoder between: a map is what is shown. Every clip
counts alike, however noisy it was: `motion` is sampled in one step from nothing but noise, and what that step
expects must be supervised, too. Reconstruction: the paper speaks of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError
from ...modules.map_syncnet import FRAMES as SYNC_FRAMES
from ...modules.map_syncnet import MapSyncNet
from ...modules.motion_codec import MotionCodec
from ...modules.tfrm import TFRM
from ...modules.video_mae import FRAMES as CLIP_FRAMES
from ...modules.video_mae import VideoEncoder
from .smoothing import TfrmLoss
from .step import Step, Weighted
from .sync import SHARPNESS
from .weights import Weights


def own_among_all(mouths: Tensor, sounds: Tensor) -> Tensor:
    """Cross-entropy of every stretch's own sound among those of the batch; both are unit [B, N, D]."""
    logits = SHARPNESS * mouths.flatten(0, 1) @ sounds.flatten(0, 1).T
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


class MapSyncLoss:
    """Every stretch of the estimate's mouth must be closer to its own sound than to the batch's others."""

    name = "sync"

    def __init__(self, syncnet: MapSyncNet, codec: MotionCodec, spoken: Tensor) -> None:
        self.syncnet = syncnet.eval().requires_grad_(False)
        self.codec, self.spoken = codec, spoken

    def __call__(self, step: Step) -> Tensor | None:
        if step.estimate.shape[1] < SYNC_FRAMES:
            return None
        mouths = self.codec.standardised(step.estimate)[..., self.spoken]
        return own_among_all(*self.syncnet(mouths, step.sound))


class MapTrepaLoss:
    """A VideoMAE on maps must see the same in estimate and truth, in every sixteen frames."""

    name = "trepa"

    def __init__(self, encoder: VideoEncoder) -> None:
        self.encoder = encoder.eval().requires_grad_(False)

    def __call__(self, step: Step) -> Tensor | None:
        frames = step.estimate.shape[1] // CLIP_FRAMES * CLIP_FRAMES
        if not frames:
            return None
        estimate, truth = (
            maps[:, :frames].unflatten(1, (-1, CLIP_FRAMES)).flatten(0, 1)
            for maps in (step.estimate, step.batch.target)
        )
        with torch.no_grad():
            wanted = self.encoder.features(truth)
        return (self.encoder.features(estimate) - wanted).square().sum(-1).mean()


class EvenTfrmLoss(TfrmLoss):
    """`TfrmLoss` that counts every clip alike."""

    def __call__(self, step: Step) -> Tensor | None:
        return super().__call__(replace(step, alpha=torch.ones_like(step.alpha)))


@dataclass(frozen=True)
class Critics:
    """The frozen networks that supervise."""

    syncnet: MapSyncNet
    videomae: VideoEncoder
    tfrm: TFRM


def check_weights(weights: Weights) -> None:
    """Raises InputError where a loss of pictures is weighed, or the emotion, which motion always has."""
    for name in ("pixel", "perceptual"):
        if getattr(weights, name):
            raise InputError(f"Motion has no loss '{name}', since it decodes no pictures: set it to 0.")
    if weights.emotion:
        raise InputError(
            "Motion weighs the emotion by 'expression' in [denoiser]: set 'emotion' in [losses] to 0."
        )


def motion_losses(weights: Weights, critics: Critics, codec: MotionCodec, spoken: Tensor) -> list[Weighted]:
    """The losses with a weight above 0; ``spoken`` [P] says which parameters the speech moves.

    The consistency of the emotion is the motion task's own.
    """
    found = [
        Weighted(MapSyncLoss(critics.syncnet, codec, spoken), weights.sync),
        Weighted(MapTrepaLoss(critics.videomae), weights.trepa),
        Weighted(EvenTfrmLoss(critics.tfrm), weights.tfrm),
    ]
    return [one for one in found if one.weight > 0]
