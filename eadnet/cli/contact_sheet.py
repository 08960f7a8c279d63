"""``eadnet contact-sheet``: frames of a video on one picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .command import Command, say

if TYPE_CHECKING:
    import numpy as np

_CELL = 512  # pixels, the longer side of a frame on the sheet


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--count", type=int, default=16, help="frames shown")
    parser.add_argument("--columns", type=int, default=8)


def run(options: argparse.Namespace) -> None:
    write_sheet(options.video, options.out, options.count, options.columns)
    say(options.out)


def write_sheet(video: Path, out: Path, count: int = 16, columns: int = 8) -> None:
    """``count`` frames spread over a video as one PNG; large ones are shown smaller, and the video is never
    whole in memory.
    """
    import numpy as np

    from ..media.images import contact_sheet, write_png
    from ..media.reader import VideoReader

    with VideoReader(video) as reader:
        moments = np.linspace(0, reader.count - 1, max(1, min(count, reader.count))).round().astype(int)
        frames = np.stack([_small(reader.picture(int(moment))) for moment in moments])
    write_png(out, contact_sheet(frames, count, columns))


def _small(frame: np.ndarray) -> np.ndarray:
    """A frame [H, W, 3] at a size at which sixteen of them are looked at together."""
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(frame)
    picture.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    return np.asarray(picture)


COMMAND = Command("contact-sheet", "frames of a video on one picture", arguments, run)
