"""Write a data set's clips as videos, so that any captioner can describe them:

    python -m eadnet.training.data.videos .work/mini/train .work/mini/videos
    eadnet caption .work/mini/videos --out .work/mini/train/captions.jsonl --backend measured --task FILE

Training on that folder then reads the captions instead of the grammar's sentences (`data.clips.read_texts`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ...dataset_format import FPS, SAMPLE_RATE
from ...media.video import write_video
from .clips import ClipSet, clip_name


def write_videos(clips: ClipSet, folder: Path) -> int:
    """One MP4 with sound for each row that is not there yet; returns how many were written."""
    written = 0
    for row in range(len(clips)):
        path = folder / clip_name(row)
        if not path.exists():
            write_video(path, clips.frames[row], FPS, clips.waveform(row)[None], SAMPLE_RATE)
            written += 1
    return written


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.training.data.videos", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    write_videos(ClipSet(options.dataset), options.folder)


if __name__ == "__main__":
    main()
