"""``eadnet fetch``: download a published file that something here can use."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import InputError
from .command import Command, say
from .progress import ProgressLine


def arguments(parser: argparse.ArgumentParser) -> None:
    from ..downloads import SETS

    parser.add_argument(
        "name",
        choices=tuple(SETS),
        help="faces: the face landmarker (3.8 MB); latentsync-1.6: its U-Net (5 GB); whisper-tiny: the audio "
        "encoder of LatentSync (75 MB); vae: Stable Diffusion 1.5's, for LatentSync (335 MB)",
    )
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="default: where ComfyUI, or this folder, looks for it"
    )
    parser.add_argument("--url", help="another address of the same file")


def run(options: argparse.Namespace) -> None:
    from ..downloads import SETS, digest_of, fetch, models_folder

    downloads = SETS[options.name]
    if options.url and len(downloads) > 1:
        raise InputError(f"'{options.name}' is {len(downloads)} files: --url is for one file only.")
    line = ProgressLine(sys.stderr)
    for download in downloads:
        folder = options.into or Path(os.path.normpath(models_folder() / download.folder))
        path = fetch(download, folder, options.url, lambda done, total: line("download", done, total))
        say(path)
        if download.sha256 is None:
            say(f"SHA-256 {digest_of(path)} (its publisher states none to compare with)")


COMMAND = Command("fetch", "download published weights", arguments, run)
