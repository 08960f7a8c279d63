"""The recipes `ead-256` and `ead-512`: the whole U-Net, in two stages as LatentSync's, from a prepared set.

Stage 1 learns to denoise, all weights. Stage 2 starts from its result and goes on with what LatentSync's
second stage trains, the motion modules and the attentions, and EAD-Net's parts, under supervision of decoded
frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...adapters import is_ead_key
from ...checkpoints import load_checkpoint, read_info, save_checkpoint
from ...errors import InputError
from ...fingerprints import fingerprint
from ...modules.unet import EADUNet
from ...modules.video_features import VideoMAEFeatures
from ...presets import Preset
from ..losses.supervision import Supervision, SupervisionWeights
from ..on_set import OnSet
from ..tasks.adapter import AdapterTask
from ..tasks.sample_window import SampleWindow
from ..tasks.unet_on_set import SetTraining
from .adapter import Files, check_set, load_encoders, with_parts

RESULT = "unet.safetensors"
STAGES = (1, 2)


@dataclass(frozen=True)
class SupervisionFiles:
    """Files of what supervises the second stage: a converted StableSyncNet, a folder with VideoMAE-v2, a
    converted LPIPS (LatentSync's is VGG's).
    """

    syncnet: Path | None = None
    videomae: Path | None = None
    lpips: Path | None = None
    weights: SupervisionWeights = field(default_factory=SupervisionWeights)


def second_stage(name: str) -> bool:
    """Whether the second stage trains a weight."""
    return is_ead_key(name) or "motion_modules." in name or "attentions." in name


def train_ead(
    directory: Path,
    out: Path,
    files: Files,
    how: OnSet,
    preset: Preset,
    stage: int,
    supervision_files: SupervisionFiles | None = None,
) -> Path:
    """Train a U-Net of the preset on a set; returns its file, in `out` with the state and the log.

    `files.base` is LatentSync's U-Net or an earlier result. Raises InputError and CheckpointError for files
    and sets that do not fit, FloatingPointError where the loss is not finite.
    """
    if stage not in STAGES:
        raise InputError(f"There is no stage {stage}: choose 1 or 2.")
    info = read_info(files.base)
    if "unet" not in info["components"]:
        raise InputError(f"{files.base.name} has no U-Net: convert LatentSync's, or take an earlier result.")
    if info.get("resolution") != preset.resolution:
        raise InputError(
            f"{files.base.name} is a U-Net of {info.get('resolution')} pixels and {preset.name} has "
            f"{preset.resolution}: choose another base or recipe."
        )
    encoders = load_encoders(files)
    check_set(directory, preset.resolution, preset.mask_region, encoders)
    supervision = None
    if stage == 2:
        if encoders.vae is None:
            raise InputError("The second stage decodes frames: give the VAE with --vae.")
        supervision = _supervision(encoders.vae, supervision_files or SupervisionFiles(), how.window)
    torch.manual_seed(how.seed)
    unet = load_checkpoint(files.base, only=["unet"]).component("unet")
    if not unet.config.get("ead"):
        unet = with_parts(unet, {**preset.unet_config["ead"], "emotion_dim": encoders.text.dim})
    notes = {"recipe": preset.name, "stage": stage, "base": info.get("preset"), "steps": how.steps}

    def save(network: EADUNet) -> None:
        save_checkpoint(out / RESULT, {"unet": network}, {**preset.info(), "training": notes})

    sample = SampleWindow(out / "samples", preset.scheduler_config, preset.defaults)
    training = SetTraining(
        out,
        unet,
        lambda device: AdapterTask(
            preset.scheduler_config, preset.mask_region, preset.resolution, encoders, device, supervision
        ),
        directory,
        how,
        trained=second_stage if stage == 2 else lambda name: True,
        identity={"preset": preset.name, "stage": stage, "base": fingerprint(files.base)},
        on_saved=save,
        on_sample=None if encoders.vae is None else sample,
    )
    training.run()
    return out / RESULT


def _supervision(vae: object, supervision_files: SupervisionFiles, window: int) -> Supervision:
    syncnet = videomae = lpips = None
    if supervision_files.syncnet is not None:
        syncnet = load_checkpoint(supervision_files.syncnet, only=["syncnet"]).component("syncnet")
    if supervision_files.videomae is not None:
        videomae = VideoMAEFeatures.load(supervision_files.videomae)
    if supervision_files.lpips is not None:
        lpips = load_checkpoint(supervision_files.lpips, only=["lpips"]).component("lpips")
    return Supervision(vae, syncnet, videomae, supervision_files.weights, window, lpips)
