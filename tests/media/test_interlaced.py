"""Interlaced video: lines of two moments in one frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eadnet.media.reader import VideoReader


def bar(at: int) -> np.ndarray:
    """A bright bar on dark, RGB [H, W, 3]."""
    picture = np.full((96, 128, 3), 40, np.uint8)
    picture[:, at : at + 24] = 210
    return picture


def interlaced(path: Path, pictures: list[np.ndarray]) -> Path:
    """Frames whose even lines are of one picture and whose odd lines are of the next."""
    options = {"crf": "1", "x264-params": "tff=1"}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv444p"
        for number, (first, second) in enumerate(zip(pictures[::2], pictures[1::2], strict=True)):
            woven = first.copy()
            woven[1::2] = second[1::2]
            frame = av.VideoFrame.from_ndarray(woven, format="rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("order", [range(4), range(3, -1, -1)])
def test_moving_parts_have_no_comb(tmp_path: Path, order: range) -> None:
    pictures = [bar(10 + 6 * i) for i in range(8)]
    with VideoReader(interlaced(tmp_path / "a.mp4", pictures)) as reader:
        for number in order:
            got = reader.picture(number).astype(int)
            # Which half comes first is the file's matter; one of them is shown.
            moments = (pictures[2 * number].astype(int), pictures[2 * number + 1].astype(int))
            assert min(abs(got[8:-8] - moment[8:-8]).mean() for moment in moments) < 3
            assert abs(np.diff(got[8:-8, :, 0], axis=0)).max() < 30, "no line sticks out"
        assert len(reader.notes) == 1 and "a.mp4 is interlaced" in reader.notes[0]


def test_what_stands_still_keeps_every_line(tmp_path: Path) -> None:
    picture = bar(40)
    picture[40, :30] = 120  # fine detail, which only one half has
    with VideoReader(interlaced(tmp_path / "a.mp4", [picture] * 6)) as reader:
        assert abs(reader.picture(1).astype(int) - picture)[38:43].max() <= 4
        assert reader.notes == []


def test_beside_what_moves_every_line_is_kept(tmp_path: Path) -> None:
    pictures = [bar(70 + 4 * i) for i in range(8)]
    for picture in pictures:
        picture[40, :50] = 120
    with VideoReader(interlaced(tmp_path / "a.mp4", pictures)) as reader:
        # The detail itself looks like a comb; 10 lines from it nothing is touched.
        got = reader.picture(1).astype(int)
        assert abs(got[:30, :60] - pictures[2][:30, :60]).max() <= 4
        assert abs(np.diff(got[60:88, :, 0], axis=0)).max() < 30
