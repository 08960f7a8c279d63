"""``eadnet fetch``: download a published file that something here can use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import InputError
from .command import Command
from .progress import ProgressLine


def arguments(parser: argparse.ArgumentParser) -> None:
    from ..downloads import SETS

    parser.add_argument("name", choices=tuple(SETS), help="faces: the face landmarker (3.8 MB, Apache-2.0)")
    parser.add_argument(
        "--into", type=Path, metavar="DIR", help="default: models/eadnet/faces of ComfyUI, or of this folder"
    )
    parser.add_argument("--url", help="another address of the same file")


def run(options: argparse.Namespace) -> None:
    from ..downloads import SETS, fetch, models_folder

    downloads = SETS[options.name]
    if options.url and len(downloads) > 1:
        raise InputError(f"'{options.name}' is {len(downloads)} files: --url is for one file only.")
    line = ProgressLine(sys.stderr)
    for download in downloads:
        folder = options.into or models_folder() / download.folder
        print(fetch(download, folder, options.url, lambda done, total: line("download", done, total)))


COMMAND = Command("fetch", "download a file that finds faces", arguments, run)
