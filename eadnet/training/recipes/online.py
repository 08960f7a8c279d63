"""`python -m eadnet.training grow`: go on from a checkpoint for minutes, on a GPU and all processor cores.

Speech is made first, for the audio encoder's lesson on the GPU; renderers then work until the end, and the
denoiser learns from whatever they have finished (see `growing`). All else is the stage `denoiser`.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import torch

from ..checkpoints import load_checkpoint, save_checkpoint
from ..errors import InputError
from ..faces.masks import mask_image
from ..presets import PRESETS
from . import mini
from .block import Block
from .config import Config, read_config
from .dataset import Shape, render_dataset, render_stills
from .denoiser import TAUGHT_SHARED_NOISE, DenoiserTask, Diffusion, train_denoiser
from .encoders import teach_audio_on
from .growing import Growing, Plan
from .latents import LatentSet, LatentStills, encode_dataset, encode_stills
from .probe import Targets, train_probe
from .spoken import SpeechSet, make_speech
from .talker import Talker

logger = logging.getLogger(__name__)

FIRST_CLIPS = 512  # with which learning begins
LAST_SECONDS = 15.0  # for the average, the curves and the file


def grow(folder: Path, out: Path, start: Path, config: Config, *, minutes: float, workers: int) -> None:
    """Go on from the checkpoint `start` for `minutes` in all and write `out`.

    A run that was killed goes on from what `folder`, which belongs to one `start`, holds.

    Raises InputError when the time is over before the denoiser has begun.
    """
    ends = time.monotonic() + 60 * minutes
    budget, how = config.budget, config.denoiser
    make_speech(
        folder / "speech" / "train", "train", budget.spoken, first_seed=budget.first_seed, workers=workers
    )
    make_speech(folder / "speech" / "validation", "validation", mini.HEARD_RECORDINGS, workers=workers)
    shape = Shape(budget.held_out_clips, budget.frames)
    render_dataset(folder / "validation", "validation", shape, workers=workers)
    logger.info("speech, validation clips and stills are there, %.0f s left", ends - time.monotonic())
    vae = load_checkpoint(start, only=["vae"]).component("vae").to(how.device)
    encode_dataset(folder / "validation", vae, folder / "latents" / "validation")
    if not (folder / "stills" / "stills.npy").exists():
        render_stills(folder / "stills", budget.people, workers=workers)
    encode_stills(folder / "stills", vae, folder / "latents" / "stills")
    held_out = LatentSet(folder / "latents" / "validation", folder / "validation")
    plan = Plan(
        folder / "parts",
        frames=budget.frames,
        first_seed=budget.first_seed,
        changing=budget.changing,
        voices=budget.voices,
    )
    talker = mini.new_talker(start)
    with Growing(plan, vae, workers) as growing:
        _teach_hearing(talker, start, folder, budget.audio, how.device)
        data = growing.at_least(min(FIRST_CLIPS, budget.clips))
        task = _task(talker, data, folder, budget.probe, how.device)
        left = ends - time.monotonic() - LAST_SECONDS
        if left <= 0:
            raise InputError(f"{minutes:g} minutes are over before the denoiser begins: give it more.")
        logger.info("the denoiser begins with %d clips and has %.0f s", len(data), left)
        how = replace(how, minutes=left / 60)
        train_denoiser(task, data, held_out, folder / "denoiser", how, before_step=growing.look)
    torch.save(talker.state_dict(), folder / "denoiser" / "model.pt")
    write(talker, start, out)


def _teach_hearing(talker: Talker, start: Path, folder: Path, minutes: float, device: str) -> None:
    if minutes <= 0:
        return
    known = load_checkpoint(start, only=["audio_encoder"]).component("audio_encoder")
    spoken, heard = (SpeechSet(folder / "speech" / split) for split in ("train", "validation"))
    teach_audio_on(talker.audio_encoder, known, spoken, heard, folder / "audio", minutes, device=device)


def _task(talker: Talker, data: LatentSet, folder: Path, minutes: float, device: str) -> DenoiserTask:
    preset = PRESETS["mini"]
    block = Block.around(mask_image(preset.mask_region, preset.resolution))
    targets = Targets.of(data)
    stills = LatentStills(folder / "latents" / "stills", folder / "stills")
    return DenoiserTask(
        talker,
        train_probe(data, stills, targets, block, folder / "probe", minutes, device),
        targets,
        Diffusion.of(preset.scheduler_config),
        size=preset.resolution,
        shared_noise=TAUGHT_SHARED_NOISE,
    )


def write(talker: Talker, start: Path, out: Path) -> None:
    """The checkpoint `start` with the networks of `talker` in place of its own."""
    checkpoint = load_checkpoint(start)
    networks = {name: checkpoint.component(name) for name in checkpoint.components}
    networks |= {
        "unet": talker.unet,
        "audio_encoder": talker.audio_encoder,
        "text_encoder": talker.text_encoder,
    }
    save_checkpoint(out, networks, dict(checkpoint.info))


def main(arguments: list[str] | None = None) -> None:
    """Raises InputError for settings that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m eadnet.training grow", description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="the checkpoint to go on from")
    parser.add_argument("--minutes", type=float, required=True, help="for everything together")
    parser.add_argument("--config", type=Path, help="sizes, minutes, schedule")
    parser.add_argument(
        "--folder", type=Path, default=Path(".work/grow"), help="data, logs and weights of one run"
    )
    parser.add_argument("--out", type=Path, default=Path(".work/grow/model.safetensors"))
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    options = parser.parse_args(arguments)
    config = read_config(options.config) if options.config else Config()
    grow(
        options.folder,
        options.out,
        options.start,
        config,
        minutes=options.minutes,
        workers=options.workers,
    )
