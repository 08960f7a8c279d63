"""``eadnet test-videos``: what an evaluation compares, made of a prepared set."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError
from .command import Command, say
from .progress import ProgressLine


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", type=Path, metavar="SET", help="the folder that eadnet prepare wrote")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder for the videos; a run that was stopped goes on",
    )
    parser.add_argument(
        "--base", type=Path, required=True, metavar="FILE", help="the checkpoint of the U-Net"
    )
    parser.add_argument("--adapter", type=Path, metavar="FILE", help="made by eadnet train adapter")
    parser.add_argument("--text", type=Path, required=True, metavar="DIR", help="the folder of CLIP ViT-L/14")
    parser.add_argument("--vae", type=Path, required=True, metavar="FILE", help="Stable Diffusion's VAE")
    parser.add_argument("--whisper", type=Path, required=True, metavar="FILE")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test")
    parser.add_argument("--most", type=int, metavar="N", help="at most so many segments; default: all")
    parser.add_argument("--steps", type=int, help="default: the checkpoint's")
    parser.add_argument("--device", default="cpu", help="for instance cuda")


def run(options: argparse.Namespace) -> None:
    if find_spec("..training", __package__) is None:
        raise InputError(
            "This installation came without the code for training sets, which no node needs. Clone the "
            "repository to use `eadnet test-videos`."
        )
    from ..training.recipes import set_command

    line = ProgressLine(sys.stderr)
    say(set_command.make_videos(options, lambda done, total: line("videos", done, total)))


COMMAND = Command("test-videos", "make the videos that an evaluation compares", arguments, run)
