"""How much each extra loss weighs, and the losses made ready with their frozen networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from ...errors import InputError
from ...modules.autoencoder import MiniAutoencoder
from ...modules.mini_syncnet import MiniSyncNet
from ...modules.parameter_regressors import LatentParameterRegressor
from ...modules.tfrm import TFRM
from ...modules.video_mae import VideoEncoder
from ..data.latent_crop import LatentCrop
from ..regressors.targets import ParameterTargets
from .emotion import EmotionLoss
from .pictures import PerceptualLoss, PixelLoss
from .smoothing import TfrmLoss
from .step import Weighted
from .sync import SyncLoss
from .trepa import TrepaLoss


@dataclass(frozen=True)
class Weights:
    """Weights in the U-Net's loss; 0 is off. `frames` are decoded in a step for pixel and perceptual."""

    pixel: float = 0.0
    perceptual: float = 0.0
    sync: float = 0.0
    trepa: float = 0.0
    emotion: float = 0.0
    tfrm: float = 0.0
    frames: int = 4


@dataclass(frozen=True)
class FrozenNetworks:
    """Where the frozen networks come from; called only for those that a weight needs."""

    vae: Callable[[], MiniAutoencoder]
    syncnet: Callable[[], MiniSyncNet]
    videomae: Callable[[], VideoEncoder]
    tfrm: Callable[[], TFRM]


class Supervised(Protocol):
    """What the losses need to know of the task they join."""

    @property
    def device(self) -> torch.device: ...
    @property
    def crop(self) -> LatentCrop: ...
    @property
    def regressor(self) -> LatentParameterRegressor | None: ...
    @property
    def targets(self) -> ParameterTargets | None: ...


def build_losses(weights: Weights, task: Supervised, networks: FrozenNetworks) -> list[Weighted]:
    """The losses with a weight above 0, their networks on the task's device.

    Raises InputError where the emotion loss is weighed and the data set has no facial parameters.
    """
    device, crop = task.device, task.crop
    decoded = any((weights.pixel, weights.perceptual, weights.sync, weights.trepa))
    vae = networks.vae().to(device) if decoded else None
    losses = []
    if vae is not None and weights.pixel:
        losses.append(Weighted(PixelLoss(vae, weights.frames), weights.pixel))
    if vae is not None and weights.perceptual:
        losses.append(Weighted(PerceptualLoss(vae, weights.frames), weights.perceptual))
    if vae is not None and weights.sync:
        losses.append(Weighted(SyncLoss(vae, networks.syncnet().to(device), crop), weights.sync))
    if vae is not None and weights.trepa:
        losses.append(Weighted(TrepaLoss(vae, networks.videomae().to(device), crop), weights.trepa))
    if weights.emotion:
        if task.regressor is None or task.targets is None:
            raise InputError(
                "The emotion loss needs facial parameters, which the data set lacks: set it to 0."
            )
        losses.append(Weighted(EmotionLoss(task.regressor, task.targets, crop), weights.emotion))
    if weights.tfrm:
        losses.append(Weighted(TfrmLoss(networks.tfrm().to(device)), weights.tfrm))
    return losses
