"""What it gains to encode the video in a thread while the U-Net works on the next frames.

    python -m benchmarks.overlap

The U-Net is a device that is busy and leaves the processor free: it sleeps. Its pace is set from a first
run, to as long as encoding takes (the most that overlapping can gain, a half) and to four times as long.
Both ways run by turns, so that other work on the machine meets both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from eadnet.media.background_writer import BackgroundWriter
from eadnet.media.resumable_video import ResumableVideo, most_waiting
from eadnet.modules.tfrm import PIECE


def pictures(count: int, width: int, height: int) -> list[np.ndarray]:
    """A texture that glides: work for the encoder."""
    rng = np.random.default_rng(0)
    sides = ((height + count) // 8 + 1, (width + 2 * count) // 8 + 1, 3)
    texture = rng.integers(0, 255, sides, np.uint8)
    large = texture.repeat(8, axis=0).repeat(8, axis=1)
    return [np.ascontiguousarray(large[i : i + height, 2 * i : 2 * i + width]) for i in range(count)]


def finished(frames: list[np.ndarray], seconds_each: float) -> Iterator[np.ndarray]:
    """Frames as a render gives them: a piece after the time it takes."""
    for start in range(0, len(frames), PIECE):
        time.sleep(seconds_each * PIECE)
        yield from frames[start : start + PIECE]


def written(frames: list[np.ndarray], seconds_each: float, overlapped: bool) -> float:
    """Wall seconds to write the video."""
    with tempfile.TemporaryDirectory() as folder:
        video = ResumableVideo(Path(folder) / "a.mp4", Fraction(25))
        started = time.monotonic()
        if overlapped:
            height, width = frames[0].shape[:2]
            with BackgroundWriter(video.write, most_waiting(width, height)) as write:
                for frame in finished(frames, seconds_each):
                    write(frame)
        else:
            for frame in finished(frames, seconds_each):
                video.write(frame)
        video.finish()
        return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overlap", description=__doc__)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=5 * PIECE)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    frames = pictures(options.frames, width, height)
    alone = written(frames, 0, overlapped=False) / len(frames)
    lines = [
        f"{width} x {height}, {len(frames)} frames, {options.runs} runs each; encoding alone takes "
        f"{1000 * alone:.1f} ms per frame.",
        "",
        "| denoiser's time over the encoder's | one after the other (s) | overlapped (s) | ratio |",
        "|---|---|---|---|",
    ]
    for share in (1, 4):
        runs = [
            [written(frames, share * alone, overlapped) for overlapped in (False, True)]
            for _ in range(options.runs)
        ]
        plain, overlapped = np.median(runs, axis=0)
        lines.append(f"| {share} | {plain:.1f} | {overlapped:.1f} | {plain / overlapped:.2f} |")
    print("\n".join(lines), flush=True)
    if options.write:
        target = Path(__file__).parent / "results" / "overlap.md"
        target.write_text("# Encoding while denoising\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
