"""``eadnet contact-sheet``: frames of a video on one picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command import Command


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--count", type=int, default=16, help="frames shown")
    parser.add_argument("--columns", type=int, default=8)


def run(options: argparse.Namespace) -> None:
    write_sheet(options.video, options.out, options.count, options.columns)
    print(options.out)


def write_sheet(video: Path, out: Path, count: int = 16, columns: int = 8) -> None:
    """``count`` frames spread over a video, which is never whole in memory, as one PNG."""
    import numpy as np

    from ..media.images import contact_sheet, write_png
    from ..media.reader import VideoReader

    with VideoReader(video) as reader:
        moments = np.linspace(0, reader.count - 1, max(1, min(count, reader.count))).round().astype(int)
        frames = np.stack([reader.picture(int(moment)) for moment in moments])
    write_png(out, contact_sheet(frames, count, columns))


COMMAND = Command("contact-sheet", "frames of a video on one picture", arguments, run)
