"""The recipe of the bundled `mini` model, from nothing to one checkpoint file, in resumable stages.

Every stage reads and writes one folder. Data is in `mini_data`, networks and the checkpoint in `networks`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ...checkpoints import load_checkpoint
from ...errors import InputError
from ...faces.masks import mask_image
from ...modules.mini_syncnet import MiniSyncNet
from ...modules.parameter_regressors import LatentParameterRegressor
from ...modules.tfrm import TFRM
from ...presets import Preset
from ...synthetic.augment import augment
from ..data.clips import ClipSet
from ..data.latent_crop import LatentCrop
from ..data.latents import LatentSet, LatentStills
from ..data.speech import SpeechSet
from ..losses.weights import FrozenNetworks, Weights, build_losses
from ..regressors.latents import train_latent_parameter_regressor
from ..regressors.targets import ParameterTargets
from ..tasks.audio_encoder import finetune_audio, pretrain_audio
from ..tasks.autoencoder import train_autoencoder
from ..tasks.decoder import finetune_decoder
from ..tasks.denoiser import Schedule, train_denoiser
from ..tasks.denoiser_task import DenoiserTask
from ..tasks.sample_videos import SampleVideos
from ..tasks.sampled_windows import sampled_windows
from ..tasks.smoother import train_smoother
from ..tasks.syncnet import train_syncnet
from ..tasks.text_encoder import finetune_text, pretrain_text
from ..tasks.videomae import train_videomae
from .budget import Budget
from .mini_data import training_set
from .networks import MINI, load_autoencoder, model_weights, new_model, new_smoother
from .sentences import SENTENCES

SAMPLED_WINDOWS = 64  # that the U-Net samples for TFRM
LOGGED_MOUTH = ("jaw_open", "lip_close")  # whose correlations measure the audio encoder


def autoencoder(folder: Path, budget: Budget, start: Path | None = None, preset: Preset = MINI) -> None:
    """Train the VAE, from the one in the checkpoint `start` if there is one."""
    first = load_checkpoint(start, only=["vae"]).component("vae") if start else None
    stills = folder / "stills" / "stills.npy"
    model = train_autoencoder(
        stills, folder / "vae", preset.mask_region, minutes=budget.autoencoder, start=first
    )
    torch.save(model.state_dict(), folder / "vae" / "model.pt")


def decoder(folder: Path, budget: Budget, preset: Preset = MINI) -> None:
    """Fine-tune the decoder of the VAE on clips; latents stay what they were."""
    clips, held_out = ClipSet(folder / "train"), ClipSet(folder / "validation")
    model = finetune_decoder(
        load_autoencoder(folder),
        clips,
        held_out,
        folder / "decoder",
        preset.mask_region,
        minutes=budget.decoder,
    )
    torch.save(model.state_dict(), folder / "vae" / "model.pt")


def denoiser_task(
    folder: Path, budget: Budget, start: Path | None = None, preset: Preset = MINI
) -> tuple[DenoiserTask, LatentSet, LatentSet]:
    """The model with its conditions' encoders and the latent regressor ready, and the two data sets.

    Raises InputError where encoders that begin at nothing would get no minutes.
    """
    if not start and not (budget.text > 0 and budget.audio > 0):
        raise InputError("New encoders need minutes: give `text` and `audio` more than 0, or --start.")
    data = training_set(folder, budget)
    held_out = LatentSet(folder / "latents" / "validation", folder / "validation")
    targets = ParameterTargets.of(data)
    regressor = latent_regressor(folder, data, targets, budget.regressor, preset=preset)
    model = new_model(start, preset)
    recordings, others = (SpeechSet(folder / "speech" / split) for split in ("train", "validation"))
    if start:
        known = load_checkpoint(start, only=["audio_encoder", "text_encoder"])
        text, audio = (known.component(name) for name in ("text_encoder", "audio_encoder"))
        if budget.text > 0:
            finetune_text(model.text_encoder, text, SENTENCES, targets, folder / "text", budget.text)
        if budget.audio > 0:
            finetune_audio(
                model.audio_encoder,
                audio,
                recordings,
                others,
                folder / "audio",
                budget.audio,
                logged=LOGGED_MOUTH,
            )
    else:
        pretrain_text(model.text_encoder, SENTENCES.training, targets, folder / "text", budget.text)
        pretrain_audio(
            model.audio_encoder, recordings, others, folder / "audio", budget.audio, logged=LOGGED_MOUTH
        )
    return DenoiserTask(model, preset, regressor, targets), data, held_out


def latent_regressor(
    folder: Path,
    data: LatentSet,
    targets: ParameterTargets,
    minutes: float,
    device: str = "cpu",
    preset: Preset = MINI,
) -> LatentParameterRegressor:
    """The frozen network behind the expression loss, trained within `minutes` if it is not yet."""
    crop = LatentCrop.around(mask_image(preset.mask_region, preset.resolution))
    stills = LatentStills(folder / "latents" / "stills", folder / "stills")
    return train_latent_parameter_regressor(
        data, stills, targets, crop, folder / "latent_regressor", minutes, device
    )


def denoiser(
    folder: Path,
    budget: Budget,
    start: Path | None = None,
    how: Schedule | None = None,
    weights: Weights | None = None,
    preset: Preset = MINI,
) -> None:
    """Train the U-Net; frozen networks that its losses need are trained first where they are missing."""
    how, weights = how or Schedule(), weights or Weights()
    task, data, held_out = denoiser_task(folder, budget, start, preset)
    how = replace(how, minutes=budget.denoiser, stda_from=0.0 if start else how.stda_from)
    task.to(how.device)
    extra = build_losses(weights, task, frozen_networks(folder, budget, task.crop, preset))
    videos = None
    if how.sample_every:
        clips = ClipSet(folder / "validation")
        videos = SampleVideos(task, load_autoencoder(folder), clips, folder / "denoiser" / "samples")
    model = train_denoiser(task, data, held_out, folder / "denoiser", how, extra, videos)
    torch.save(model.state_dict(), folder / "denoiser" / "model.pt")


def frozen_networks(folder: Path, budget: Budget, crop: LatentCrop, preset: Preset = MINI) -> FrozenNetworks:
    """The frozen networks behind the losses, from their stages' folders."""
    return FrozenNetworks(
        vae=lambda: load_autoencoder(folder),
        syncnet=lambda: load_syncnet(folder, budget),
        videomae=lambda: train_videomae(
            ClipSet(folder / "train"), crop, folder / "videomae", minutes=budget.videomae
        ),
        tfrm=lambda: load_smoother(folder, budget, preset),
    )


def smoother(folder: Path, budget: Budget, sampled: float = 0.0, preset: Preset = MINI) -> None:
    """Train TFRM; `sampled` is the share of its batches that are the finished U-Net's own samples.

    A TFRM that was a frozen network of the U-Net's losses goes on from there when it gets samples.
    """
    data, held_out = (LatentSet(folder / "latents" / s, folder / s) for s in ("train", "validation"))
    model, where, pairs = new_smoother(preset), "smoother", None
    if sampled > 0:
        task, _, _ = denoiser_task(folder, budget, preset=preset)
        task.model.load_state_dict(model_weights(folder))
        task.model.eval()
        pairs = sampled_windows(task, data, SAMPLED_WINDOWS, torch.Generator().manual_seed(6))
        if (folder / "smoother" / "model.pt").exists():
            weights = torch.load(folder / "smoother" / "model.pt", weights_only=True)
            model.load_state_dict(weights)
        where = "smoother_sampled"
    model = train_smoother(
        model,
        data,
        held_out,
        folder / where,
        minutes=budget.smoother,
        sampled=pairs,
        sampled_share=sampled,
    )
    (folder / "smoother").mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / "smoother" / "model.pt")


def load_smoother(folder: Path, budget: Budget, preset: Preset = MINI) -> TFRM:
    """The TFRM of its stage, trained now if it was not yet."""
    if not (folder / "smoother" / "model.pt").exists():
        smoother(folder, budget, preset=preset)
    model = new_smoother(preset)
    model.load_state_dict(torch.load(folder / "smoother" / "model.pt", weights_only=True))
    return model.eval()


def load_syncnet(folder: Path, budget: Budget) -> MiniSyncNet:
    """The SyncNet of its stage, trained now if it was not yet."""
    if not (folder / "syncnet" / "model.pt").exists():
        syncnet(folder, budget)
    model = MiniSyncNet()
    model.load_state_dict(torch.load(folder / "syncnet" / "model.pt", weights_only=True))
    return model.eval()


def syncnet(folder: Path, budget: Budget) -> None:
    """Train SyncNet on the clips, their sound re-recorded at random."""
    clips, held_out = ClipSet(folder / "train"), ClipSet(folder / "validation")
    model = train_syncnet(clips, held_out, folder / "syncnet", minutes=budget.syncnet, rerecord=augment)
    torch.save(model.state_dict(), folder / "syncnet" / "model.pt")
