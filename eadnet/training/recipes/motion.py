"""The recipe of the `motion` model: `python -m eadnet.training motion`, in resumable stages.

    speech     recordings of the drawn world, and what a frozen audio encoder hears in them
    denoiser   the U-Net on maps of motion, with another performance of a recording at every step; SyncNet,
               TREPA and TFRM supervise it where `[losses]` of the configuration weighs sync, trepa and tfrm
    smoother   TFRM
    assemble   the checkpoint

Encoders of sound and text come from `--start`, mini by default, or the sound's from `--audio-encoder`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...checkpoints import bundled_mini, load_checkpoint, save_checkpoint
from ...errors import InputError
from ...modules.conditioned_unet import ConditionedUNet
from ...modules.mini_audio import MiniAudioEncoder
from ...modules.motion_codec import MotionCodec
from ...modules.tfrm import TFRM
from ...modules.unet import EADUNet
from ...presets import find_preset
from ...rig.expression import PARAMETERS, RANGES
from ...rig.track import GROUPS
from ...synthetic.speech_sets import make_speech
from ..data.motion import MotionSet
from ..losses.motion import check_weights
from ..losses.weights import Weights
from ..tasks.denoiser import Schedule, train_denoiser
from ..tasks.motion import MotionTask
from ..tasks.smoother import train_smoother
from .config import Config, read_config
from .motion_critics import Targets, supervision
from .motion_data import encode_recordings, encode_talk, held_out_performer, training_performer
from .networks import model_weights
from .stages import run_stages

MOTION = find_preset("motion")
STAGES = ("speech", "denoiser", "smoother", "assemble")
FRAMES = 96  # of a recording
VERSIONS = 3  # of every utterance of natural voices, in other rooms
FLEETING = (*GROUPS["blink"], *GROUPS["gaze"], *GROUPS["head"])
KEPT = (
    GROUPS["brows"],
    (*GROUPS["blink"], *GROUPS["lids"]),
    GROUPS["gaze"],
    (*GROUPS["mouth_corners"], *GROUPS["cheeks"], *GROUPS["nose"], *GROUPS["chin"]),
    GROUPS["mouth"],
    GROUPS["head"],
)
"""What may be given: the rows of the map, the mouth's three as one."""

_STATISTICS = 1000  # windows from which mean and spread are taken


def new_codec() -> MotionCodec:
    """The codec of the rig's parameters, not standardised."""
    low, high = RANGES.T.tolist()
    return MotionCodec(PARAMETERS, low, high)


def new_task(start: Path | None, encoders: Path, audio_encoder: Path | None = None) -> MotionTask:
    """The task with frozen encoders; its U-Net is new, or that of ``start``, and so is the codec."""
    parts: dict[str, Any] = dict(load_checkpoint(encoders, only=["audio_encoder", "text_encoder"]).components)
    if audio_encoder:
        parts["audio_encoder"] = load_checkpoint(audio_encoder, only=["audio_encoder"]).component(
            "audio_encoder"
        )
    codec = new_codec()
    torch.manual_seed(0)
    unet = EADUNet.from_config(MOTION.unet_config)
    if start:
        known = load_checkpoint(start, only=["unet", "codec"])
        unet, codec = known.component("unet"), known.component("codec")
    model = ConditionedUNet(unet, parts["audio_encoder"], parts["text_encoder"]).train()
    return MotionTask(model, MOTION, codec, GROUPS["mouth"], FLEETING, KEPT)


def load_sets(folder: Path) -> tuple[MotionSet, MotionSet]:
    """For training and held out."""
    return (
        MotionSet(folder / "motion" / "train", training_performer),
        MotionSet(folder / "motion" / "validation", held_out_performer("validation")),
    )


def standardise(codec: MotionCodec, data: MotionSet, place: Path) -> None:
    """Mean and spread of the parameters from performances; kept at ``place`` for the whole run."""
    if not place.exists():
        generator = torch.Generator().manual_seed(9)
        count, window = min(_STATISTICS, 20 * len(data)), 24
        clips = torch.randint(len(data), (count,), generator=generator)
        starts = torch.randint(data.frames - window + 1, (count,), generator=generator)
        takes = data.perform(clips, starts, window, np.random.default_rng(8))
        codec.standardise(torch.from_numpy(np.concatenate([take.params for take in takes])))
        torch.save(codec.state_dict(), place)
    codec.load_state_dict(torch.load(place, weights_only=True))


def speech(
    folder: Path, encoder: MiniAudioEncoder, config: Config, workers: int, talk: Path | None = None
) -> None:
    """Recordings of training and validation, and what the encoder hears in them; or shards of talk."""
    budget = config.budget
    if talk is not None:
        mouths = talk.parent / "mouths"
        for split, parts in (("train", ("train",)), ("validation", ("speakers", "sentences"))):
            if not (folder / "motion" / split / "mouths.npy").exists():
                encode_talk(
                    talk,
                    folder / "motion" / split,
                    encoder,
                    parts,
                    VERSIONS,
                    FRAMES,
                    mouths if mouths.is_dir() else None,
                )
        return
    for split, count in (("train", budget.spoken), ("validation", budget.held_out_clips)):
        place = folder / "speech" / split
        if not (place / "mouths.npy").exists():
            make_speech(place, split, count, frames=FRAMES, first_seed=budget.first_seed, workers=workers)
        if not (folder / "motion" / split / "mouths.npy").exists():
            encode_recordings(place, folder / "motion" / split, encoder)


def denoiser(folder: Path, task: MotionTask, how: Schedule, weights: Weights) -> None:
    """Train the U-Net, resuming the folder; first the networks behind the losses that are weighed."""
    data, held_out = load_sets(folder)
    standardise(task.codec, data, folder / "codec.pt")
    extra = supervision(weights, task, data, held_out, folder / "critics")
    model = train_denoiser(task, data, held_out, folder / "denoiser", how, extra)  # type: ignore[arg-type]
    torch.save(model.state_dict(), folder / "denoiser" / "model.pt")


def smoother(folder: Path, task: MotionTask, minutes: float) -> None:
    """Train TFRM on maps with errors."""
    standardise(task.codec, load_sets(folder)[0], folder / "codec.pt")
    data, held_out = (Targets(task, part) for part in load_sets(folder))
    torch.manual_seed(0)
    model = TFRM.from_config(MOTION.tfrm_config)
    train_smoother(model, data, held_out, folder / "smoother", minutes=minutes)  # type: ignore[arg-type]
    torch.save(model.state_dict(), folder / "smoother" / "model.pt")


def assemble(folder: Path, task: MotionTask, out: Path, notes: dict[str, Any]) -> None:
    """Write the checkpoint from the stages' results; without a smoother, one that changes nothing."""
    standardise(task.codec, load_sets(folder)[0], folder / "codec.pt")
    # The U-Net alone: encoders may have been exchanged while it was trained.
    weights = model_weights(folder).items()
    task.model.unet.load_state_dict({k.removeprefix("unet."): v for k, v in weights if k.startswith("unet.")})
    tfrm = TFRM.from_config(MOTION.tfrm_config)
    done = folder / "smoother" / "model.pt"
    if done.exists():
        tfrm.load_state_dict(torch.load(done, weights_only=True))
    parts: dict[str, nn.Module] = {
        "unet": task.model.unet,
        "codec": task.codec,
        "audio_encoder": task.model.audio_encoder,
        "text_encoder": task.model.text_encoder,
        "tfrm": tfrm,
    }
    save_checkpoint(out, parts, {**MOTION.info(), "training": notes})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training motion", description=__doc__)
    parser.add_argument("stage", nargs="?", choices=("all", *STAGES), default="all")
    parser.add_argument("--folder", type=Path, default=Path(".work/motion"))
    parser.add_argument("--config", type=Path, metavar="TOML", help="sizes, minutes, schedule, losses")
    parser.add_argument("--start", type=Path, help="a motion checkpoint whose U-Net to train further")
    parser.add_argument("--encoders", type=Path, default=bundled_mini(), help="a checkpoint with encoders")
    parser.add_argument("--audio-encoder", type=Path, help="a file with another audio encoder")
    parser.add_argument(
        "--talk", type=Path, metavar="DIR", help="shards of eadnet.synthetic.talk, to train on"
    )
    parser.add_argument("--minutes", type=float, help="of the stage denoiser")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("eadnet/assets/motion.safetensors"))
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    config = read_config(options.config) if options.config else read_config(_DEFAULTS)
    minutes = config.budget.denoiser if options.minutes is None else options.minutes
    if minutes <= 0:
        raise InputError(f"The time limit is {minutes} minutes: give more than 0.")
    check_weights(config.losses)
    folder, task = options.folder, new_task(options.start, options.encoders, options.audio_encoder)
    how = dataclasses.replace(config.denoiser, minutes=minutes)
    stages = {
        "speech": lambda: speech(folder, task.model.audio_encoder, config, options.workers, options.talk),
        "denoiser": lambda: denoiser(folder, task, how, config.losses),
        "smoother": lambda: smoother(folder, task, config.budget.smoother),
        "assemble": lambda: assemble(folder, task, options.out, {"minutes": minutes}),
    }
    run_stages(stages, STAGES if options.stage == "all" else (options.stage,))


_DEFAULTS = Path(__file__).parent / "configs" / "motion.toml"
