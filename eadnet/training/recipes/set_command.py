"""`eadnet train RECIPE --set SET --out DIR`: the recipes that train on prepared sets.

In one process as it stands, in many by `accelerate launch -m eadnet train ...`, whose configuration file
names cards, machines, precision and sharding. A run that was stopped goes on when it is started again. Torch
is imported when training starts: the options are known without it.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..on_set import OnSet, check_folder, check_rate

_OPTIONS: dict[str, str] = {
    "steps": "of the optimiser",
    "batch": "clips that a process works on at a time",
    "accumulation": "of these batches for one step",
    "window": "frames of a clip",
    "rate": "learning rate",
    "average": "decay of the moving average of the weights, which is saved",
    "precision": "no, bf16 or fp16; weights stay float32",
    "validate_every": "steps between measurements on held-out clips, 0 for none",
    "held_out": "clips that are measured",
    "save_every": "steps between states to resume from",
    "log_every": "steps between rows of log.csv",
    "seed": "of the order and of all that is drawn",
    "workers": "threads that read and decode",
    "trackers": "tensorboard, wandb, trackio ...; commas between",
}


# LatentSync's (configs/unet, configs/syncnet), whose whole networks are trained; new parts take ten times it.
_WHOLE_RATE = 1e-5


def _settings(parser: argparse.ArgumentParser, **others: object) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(OnSet)} | others
    group = parser.add_argument_group("how it is trained")
    for name, text in _OPTIONS.items():
        kind: Any = type(defaults[name])
        said = f"{text} ({defaults[name]})" if defaults[name] != "" else text
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, default=defaults[name], help=said)
    group.add_argument("--checkpointing", action="store_true", help="less memory, a third more time")
    group.add_argument("--cpu", action="store_true", help="leave a GPU that is there alone")


def _how(options: argparse.Namespace) -> OnSet:
    return OnSet(**{name: getattr(options, name) for name in (*_OPTIONS, "checkpointing", "cpu")})


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", type=Path, required=True, metavar="SET", help="what eadnet prepare wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="state, log and results")


def _network_arguments(parser: argparse.ArgumentParser, **others: object) -> None:
    _common(parser)
    parser.add_argument(
        "--base", type=Path, required=True, metavar="FILE", help="U-Net, LatentSync's converted"
    )
    parser.add_argument("--text", type=Path, required=True, metavar="DIR", help="of CLIP ViT-L/14")
    parser.add_argument("--vae", type=Path, metavar="FILE", help="for sets without latents, and for samples")
    parser.add_argument("--whisper", type=Path, metavar="FILE", help="for sets without its features")
    _settings(parser, **others)


def _adapter_arguments(parser: argparse.ArgumentParser) -> None:
    _network_arguments(parser)
    parser.add_argument(
        "--preset", choices=("ead-256", "ead-512"), help="whose parts; default: that of the base's resolution"
    )


def _adapter(options: argparse.Namespace) -> Path:
    from ...presets import find_preset
    from .adapter import Files, train_adapter

    files = Files(options.base, options.text, options.vae, options.whisper)
    preset = find_preset(options.preset) if options.preset else None
    return train_adapter(options.set, options.out, files, _how(options), preset)


def _motion_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument(
        "--start", default="motion", metavar="FILE", help="a motion checkpoint (the bundled one)"
    )
    parser.add_argument("--steps", type=int, help="(two passes over the set)")
    parser.add_argument("--frames", type=int, default=96, help="in every step, at least 48 (96)")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate (0.0001)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trackers", default="", help=_OPTIONS["trackers"])
    parser.add_argument("--learn", choices=("mouth", "all"), default="mouth", help="of the face (mouth)")


def _motion(options: argparse.Namespace) -> Path:
    from .real_motion import finetune_motion

    if options.steps is not None and options.steps < 1:
        raise InputError(f"steps is {options.steps}: give 1 or more.")
    check_rate(options.rate)
    return finetune_motion(
        options.set,
        options.out,
        start=options.start,
        steps=options.steps,
        frames=options.frames,
        rate=options.rate,
        seed=options.seed,
        trackers=options.trackers,
        learn=options.learn,
    )


def _ead_arguments(parser: argparse.ArgumentParser) -> None:
    _network_arguments(parser, rate=_WHOLE_RATE)
    parser.add_argument("--stage", type=int, choices=(1, 2), default=1, help="2: losses on decoded frames")
    parser.add_argument("--syncnet", type=Path, metavar="FILE", help="stage 2: LatentSync's, converted")
    parser.add_argument("--videomae", type=Path, metavar="DIR", help="stage 2: of a VideoMAE-v2, for TREPA")
    parser.add_argument("--lpips", type=Path, metavar="FILE", help="stage 2: lpips-vgg.safetensors")
    parser.add_argument("--sync-weight", type=float, default=0.05)
    parser.add_argument("--trepa-weight", type=float, default=10.0)
    parser.add_argument("--pixel-weight", type=float, default=0.1)
    parser.add_argument("--perceptual-weight", type=float, default=0.1)


def _ead(options: argparse.Namespace) -> Path:
    from ...presets import find_preset
    from ..losses.supervision import SupervisionWeights
    from .adapter import Files
    from .ead import SupervisionFiles, train_ead

    files = Files(options.base, options.text, options.vae, options.whisper)
    weights = SupervisionWeights(
        options.sync_weight, options.trepa_weight, options.pixel_weight, options.perceptual_weight
    )
    supervision_files = SupervisionFiles(options.syncnet, options.videomae, options.lpips, weights)
    preset = find_preset(options.recipe)
    return train_ead(options.set, options.out, files, _how(options), preset, options.stage, supervision_files)


def _syncnet_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--start", type=Path, metavar="FILE", help="a converted one to go on from")
    _settings(parser, rate=_WHOLE_RATE)


def _syncnet(options: argparse.Namespace) -> Path:
    from .stable_syncnet import train_stable_syncnet

    return train_stable_syncnet(options.set, options.out, _how(options), options.start)


Recipe = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Path]]

RECIPES: dict[str, Recipe] = {
    "adapter": ("EAD-Net's parts on LatentSync's frozen U-Net", _adapter_arguments, _adapter),
    "motion": ("the model that moves portraits, on real facial parameters", _motion_arguments, _motion),
    "ead-256": ("the whole U-Net at 256 pixels, in two stages", _ead_arguments, _ead),
    "ead-512": ("the whole U-Net at 512 pixels, in two stages", _ead_arguments, _ead),
    "syncnet": ("LatentSync's SyncNet, which scores how lips fit sound", _syncnet_arguments, _syncnet),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The recipes as sub-commands, each with its options."""
    recipes = parser.add_subparsers(required=True, metavar="RECIPE", dest="recipe")
    for name, (text, options, _) in RECIPES.items():
        options(recipes.add_parser(name, help=text, description=text))


def make_videos(options: argparse.Namespace, on_clip: Callable[[int, int], object]) -> Path:
    """`eadnet test-videos`, of its options; returns the folder. Raises InputError and CheckpointError."""
    from .adapter import Files
    from .split_videos import make_test_videos

    for name in ("most", "steps"):
        if (number := getattr(options, name)) is not None and number < 1:
            raise InputError(f"{name} is {number}: give 1 or more.")
    return make_test_videos(
        options.set,
        options.out,
        Files(options.base, options.text, options.vae, options.whisper),
        options.adapter,
        split=options.split,
        most=options.most,
        steps=options.steps,
        device=options.device,
        on_clip=on_clip,
    )


def run(options: argparse.Namespace) -> Path:
    """Train; returns the file that was made. Raises InputError and CheckpointError, one sentence each."""
    check_folder(options.out)
    try:
        return RECIPES[options.recipe][2](options)
    except FloatingPointError as error:
        raise InputError(
            f"{error} Start again to go on from there, with a lower --rate, or bf16 in place of fp16."
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"No space is left for {error.filename or options.out}: make room and start again, it goes on "
            "from the state saved before."
        ) from error
