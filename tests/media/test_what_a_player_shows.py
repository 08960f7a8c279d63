"""Streams of every property in, what a player shows out: in memory, and as films."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from eadnet.media.reader import VideoReader
from eadnet.media.resumable_video import ResumableVideo
from eadnet.media.video import read_frames, write_video
from tests.players import STREAMS, Stream, film, quarters
from tests.quick import some

# In levels of 0..255: losses of the source's codec; the palette of GIF has 256 colours.
NEAR = {"palette_gif": 40.0, "mjpeg_hd": 4.0, "alpha_vp8": 6.0}
GENERATION = 2.5  # one more encoding


def written(stream: Stream, folder: Path) -> Path:
    try:
        return stream.write(folder)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {stream.codec} as {stream.pix_fmt}: {error}")


@pytest.mark.parametrize("stream", some(14, STREAMS), ids=lambda stream: stream.name)
def test_pictures_and_films_look_as_a_player_shows_the_source(stream: Stream, tmp_path: Path) -> None:
    path = written(stream, tmp_path)
    near = NEAR.get(stream.name, 2.0)
    with VideoReader(path) as reader:
        pictures = [reader.picture(number) for number in range(reader.count)]
        assert reader.size == pictures[0].shape[1::-1] == pytest.approx(stream.shape(), abs=1)
        assert reader.notes == []
    assert abs(quarters(pictures[1]) - stream.shown()).max() <= near
    assert all(np.array_equal(one, two) for one, two in zip(read_frames(path), pictures, strict=True))

    write_video(tmp_path / "whole.mp4", pictures, reader.fps)
    kept = ResumableVideo(tmp_path / "kept.mp4", reader.fps)
    for picture in pictures:
        kept.write(picture)
    kept.finish()
    for name in ("whole.mp4", "kept.mp4"):
        frames = film(tmp_path / name)
        assert len(frames) == len(pictures)
        assert abs(quarters(frames[1]) - stream.shown()).max() <= near + GENERATION
