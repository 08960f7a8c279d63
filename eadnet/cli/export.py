"""``eadnet export``: a video as an animated image or an image sequence."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from .command import Command, say

LONGEST = 30.0  # seconds of an animated image, which is whole in memory


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="a .webp, .gif or .apng file, or a folder for an image sequence"
    )
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where to begin")
    parser.add_argument("--seconds", type=float, default=0.0, help="how much of it; 0 is all")


def run(options: argparse.Namespace) -> None:
    import numpy as np

    from ..media.animation import write_animation
    from ..media.reader import VideoReader
    from ..media.sequence import write_sequence

    with VideoReader(options.video, options.start, options.seconds) as video:
        frames = (video.picture(number) for number in range(video.count))
        if not options.out.suffix:
            say(f"{options.out}: {write_sequence(options.out, frames)} images")
            return
        if video.count / video.fps > LONGEST:
            raise InputError(
                f"{options.video.name} lasts {float(video.count / video.fps):.0f} s: an animated image holds "
                f"up to {LONGEST:.0f} s, choose a part with --start and --seconds."
            )
        write_animation(options.out, np.stack(list(frames)), video.fps)
        say(f"{options.out}: {video.count} frames")


COMMAND = Command("export", "a video as an animated image or an image sequence", arguments, run)
