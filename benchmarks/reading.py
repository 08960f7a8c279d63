"""What two places in a video cost a reader: a render reads what it generates ahead of what it finishes.

    python -m benchmarks.reading

Frames in the order of a render of 8 steps, with a reader that keeps both places open and with one that goes
back and forth between them, as ours did.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.overlap import pictures
from eadnet.media.reader import VideoReader
from eadnet.media.video import write_video

COUNT, LEAD, PIECE = 240, 104, 8


def order() -> list[int]:
    """Pieces of 8 frames: one to generate, and one that is finished 104 frames later (8 windows of 12)."""
    frames: list[int] = []
    for start in range(0, COUNT, PIECE):
        frames += range(start, start + PIECE)
        if start >= LEAD:
            frames += range(start - LEAD, start - LEAD + PIECE)
    return frames


def seconds(path: Path, places: int) -> float:
    """Processor seconds to read in that order with so many places open."""
    with VideoReader(path) as reader:
        del reader._cursors[places:]
        started = time.process_time()
        for number in order():
            reader.picture(number)
        return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--write", action="store_true", help="record the numbers in benchmarks/results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.mp4"
        write_video(path, pictures(COUNT, 640, 360), 25)
        one, two = (seconds(path, places) for places in (1, 2))
    text = (
        f"640 x 360, {COUNT} frames, {len(order())} looked at: {one:.1f} s of processor time with one place "
        f"open, {two:.1f} s with two, ratio {one / two:.1f}."
    )
    print(text)
    if options.write:
        target = Path(__file__).parent / "results" / "reading.md"
        target.write_text(f"# Reading a video at two places\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
