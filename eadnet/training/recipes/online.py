"""`python -m eadnet.training online`: train a checkpoint further for minutes, on a GPU and all CPU cores.

Speech is made first, for fine-tuning the audio encoder on the GPU; renderers then work until the end, and the
U-Net is trained on whatever they have finished (see `online_data`). All else is the stage `denoiser`.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import torch

from ...checkpoints import load_checkpoint, save_checkpoint
from ...errors import InputError
from ...modules.conditioned_unet import ConditionedUNet
from ...presets import Preset
from ...printable import get_logger
from ...synthetic.datasets import DatasetShape, render_dataset
from ...synthetic.speech_sets import make_speech
from ...synthetic.stills import render_stills
from ..data.encoding import encode_dataset, encode_stills
from ..data.latents import LatentSet
from ..data.speech import SpeechSet
from ..regressors.targets import ParameterTargets
from ..tasks.audio_encoder import finetune_audio
from ..tasks.denoiser import train_denoiser
from ..tasks.denoiser_task import DenoiserTask
from . import mini_data
from .config import Config, read_config
from .mini import LOGGED_MOUTH, latent_regressor
from .networks import MINI, new_model
from .online_data import ClipPlan, OnlineClips

logger = get_logger(__name__)

FIRST_CLIPS = 512  # with which training begins
LAST_SECONDS = 15.0  # for the average, the curves and the file


def train_online(
    folder: Path,
    out: Path,
    start: Path,
    config: Config,
    *,
    minutes: float,
    workers: int,
    preset: Preset = MINI,
) -> None:
    """Train the checkpoint `start` for `minutes` in all and write `out`.

    A run that was killed goes on from what `folder`, which belongs to one `start`, holds.

    Raises InputError when the time is over before training of the U-Net starts.
    """
    ends = time.monotonic() + 60 * minutes
    budget, how = config.budget, config.denoiser
    make_speech(
        folder / "speech" / "train", "train", budget.spoken, first_seed=budget.first_seed, workers=workers
    )
    make_speech(
        folder / "speech" / "validation", "validation", mini_data.HELD_OUT_RECORDINGS, workers=workers
    )
    shape = DatasetShape(budget.held_out_clips, budget.frames)
    render_dataset(folder / "validation", "validation", shape, workers=workers)
    logger.info("speech, validation clips and stills are there, %.0f s left", ends - time.monotonic())
    vae = load_checkpoint(start, only=["vae"]).component("vae").to(how.device)
    encode_dataset(folder / "validation", vae, folder / "latents" / "validation", preset.mask_region)
    if not (folder / "stills" / "stills.npy").exists():
        render_stills(folder / "stills", budget.people, workers=workers)
    encode_stills(folder / "stills", vae, folder / "latents" / "stills")
    held_out = LatentSet(folder / "latents" / "validation", folder / "validation")
    plan = ClipPlan(
        folder / "parts",
        frames=budget.frames,
        first_seed=budget.first_seed,
        changing=budget.changing,
        voices=budget.voices,
    )
    model = new_model(start, preset)
    with OnlineClips(plan, vae, preset.mask_region, workers) as clips:
        _finetune_audio(model, start, folder, budget.audio, how.device)
        data = clips.at_least(min(FIRST_CLIPS, budget.clips))
        targets = ParameterTargets.of(data)
        regressor = latent_regressor(folder, data, targets, budget.regressor, how.device, preset)
        task = DenoiserTask(model, preset, regressor, targets)
        left = ends - time.monotonic() - LAST_SECONDS
        if left <= 0:
            raise InputError(f"{minutes:g} minutes are over before the U-Net is trained: give it more.")
        logger.info("training of the U-Net starts with %d clips and %.0f s left", len(data), left)
        how = replace(how, minutes=left / 60)
        train_denoiser(task, data, held_out, folder / "denoiser", how, before_step=clips.load_now_and_then)
    torch.save(model.state_dict(), folder / "denoiser" / "model.pt")
    write(model, start, out)


def _finetune_audio(model: ConditionedUNet, start: Path, folder: Path, minutes: float, device: str) -> None:
    if minutes <= 0:
        return
    known = load_checkpoint(start, only=["audio_encoder"]).component("audio_encoder")
    recordings, others = (SpeechSet(folder / "speech" / split) for split in ("train", "validation"))
    finetune_audio(
        model.audio_encoder,
        known,
        recordings,
        others,
        folder / "audio",
        minutes,
        device=device,
        logged=LOGGED_MOUTH,
    )


def write(model: ConditionedUNet, start: Path, out: Path) -> None:
    """The checkpoint `start` with the networks of `model` in place of its own."""
    checkpoint = load_checkpoint(start)
    networks = {name: checkpoint.component(name) for name in checkpoint.components}
    networks |= {
        "unet": model.unet,
        "audio_encoder": model.audio_encoder,
        "text_encoder": model.text_encoder,
    }
    save_checkpoint(out, networks, dict(checkpoint.info))


def main(arguments: list[str] | None = None) -> None:
    """Raises InputError for settings that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m eadnet.training online", description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="the checkpoint to train further")
    parser.add_argument("--minutes", type=float, required=True, help="for everything together")
    parser.add_argument("--config", type=Path, help="sizes, minutes, schedule")
    parser.add_argument(
        "--folder", type=Path, default=Path(".work/online"), help="data, logs and weights of one run"
    )
    parser.add_argument("--out", type=Path, default=Path(".work/online/model.safetensors"))
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    options = parser.parse_args(arguments)
    config = read_config(options.config) if options.config else Config()
    train_online(
        options.folder,
        options.out,
        options.start,
        config,
        minutes=options.minutes,
        workers=options.workers,
    )
