"""How much each extra loss weighs, and the losses made ready with their frozen judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...modules.autoencoder import MiniAutoencoder
from ...modules.mini_syncnet import MiniSyncNet
from ...modules.tfrm import TFRM
from ..denoiser import DenoiserTask
from ..videomae import VideoEncoder
from .emotion import EmotionLoss
from .pictures import PerceptualLoss, PixelLoss
from .smoothing import TfrmLoss
from .step import Weighted
from .sync import SyncLoss
from .trepa import TrepaLoss


@dataclass(frozen=True)
class Weights:
    """Weights in the denoiser's loss; 0 is off. `frames` are decoded in a step for pixel and perceptual."""

    pixel: float = 0.0
    perceptual: float = 0.0
    sync: float = 0.0
    trepa: float = 0.0
    emotion: float = 0.0
    tfrm: float = 0.0
    frames: int = 4


@dataclass(frozen=True)
class Judges:
    """Where the frozen networks come from; asked only for those that a weight needs."""

    vae: Callable[[], MiniAutoencoder]
    syncnet: Callable[[], MiniSyncNet]
    videomae: Callable[[], VideoEncoder]
    tfrm: Callable[[], TFRM]


def build(weights: Weights, task: DenoiserTask, judges: Judges) -> list[Weighted]:
    """The losses with a weight above 0, their networks on the task's device."""
    device, block = task.device, task.block
    decoded = any((weights.pixel, weights.perceptual, weights.sync, weights.trepa))
    vae = judges.vae().to(device) if decoded else None
    losses = []
    if vae is not None and weights.pixel:
        losses.append(Weighted(PixelLoss(vae, weights.frames), weights.pixel))
    if vae is not None and weights.perceptual:
        losses.append(Weighted(PerceptualLoss(vae, weights.frames), weights.perceptual))
    if vae is not None and weights.sync:
        losses.append(Weighted(SyncLoss(vae, judges.syncnet().to(device), block), weights.sync))
    if vae is not None and weights.trepa:
        losses.append(Weighted(TrepaLoss(vae, judges.videomae().to(device), block), weights.trepa))
    if weights.emotion:
        losses.append(Weighted(EmotionLoss(task.probe, task.targets, block), weights.emotion))
    if weights.tfrm:
        losses.append(Weighted(TfrmLoss(judges.tfrm().to(device)), weights.tfrm))
    return losses
