"""``eadnet convert``: published weights into a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command import Command, say


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="SRC", help="latentsync_unet.pt, tiny.pt, stable_syncnet.pt, ..."
    )
    parser.add_argument("target", type=Path, nargs="?", metavar="DST", help="default: beside the source")
    parser.add_argument("--resolution", type=int, help="256 (LatentSync 1.5) or 512 (1.6)")
    parser.add_argument(
        "--lpips",
        type=Path,
        metavar="FILE",
        help="SRC is torchvision's VGG16 or AlexNet, this LPIPS' vgg.pth or alex.pth",
    )
    parser.add_argument("--preset", help="latentsync-1.5 or latentsync-1.6, instead of the resolution")


def run(options: argparse.Namespace) -> None:
    from ..convert import convert
    from ..convert_lpips import convert_lpips

    if options.lpips is not None:
        say(convert_lpips(options.source, options.lpips, options.target))
        return
    say(convert(options.source, options.target, resolution=options.resolution, preset=options.preset))


COMMAND = Command("convert", "published weights into a checkpoint", arguments, run)
