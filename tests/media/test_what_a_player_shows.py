"""Streams of every property in, what a player shows out: in memory, and as films."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eadnet.media.reader import VideoReader
from eadnet.media.resumable_video import ResumableVideo
from eadnet.media.video import read_frames, write_video
from tests.players import FRAMES, RATE, STREAMS, Stream, film, quarters
from tests.quick import some

# In levels of 0..255: losses of the source's codec; the palette of GIF has 256 colours.
NEAR = {"palette_gif": 40.0, "mjpeg_hd": 4.0, "alpha_vp8": 6.0}
GENERATION = 2.5  # one more encoding


def written(stream: Stream, folder: Path) -> Path:
    try:
        return stream.write(folder)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {stream.codec} as {stream.pix_fmt}: {error}")


def later(path: Path, seconds: float) -> Path:
    """The same file with times that begin later."""
    moved = path.with_stem(f"{path.stem}_later")
    with av.open(str(path)) as source, av.open(str(moved), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                packet.pts += round(seconds / packet.time_base)
                packet.dts += round(seconds / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    return moved


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "matrix": ({"meant": 6, "tags": {"colorspace": 6}}, {"meant": 1, "tags": {"colorspace": 1}}),
    "range": (
        {"meant": 1, "tags": {"colorspace": 1, "color_range": 1}},
        {"meant": 1, "full": True, "tags": {"colorspace": 1, "color_range": 2}},
    ),
    "depth": ({"meant": 6}, {"meant": 6, "pix_fmt": "yuv422p10le"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_colours_stay_where_the_stream_begins_to_say_them_otherwise(tmp_path: Path, what: str) -> None:
    """Recordings of two programmes, one behind the other."""
    first, second = (Stream(f"part{i}", ending="ts", **how) for i, how in enumerate(CHANGES[what]))
    begin, end = written(first, tmp_path), later(written(second, tmp_path), FRAMES / RATE)
    (tmp_path / "a.ts").write_bytes(begin.read_bytes() + end.read_bytes())
    with VideoReader(tmp_path / "a.ts") as reader:
        assert reader.count == 2 * FRAMES
        for number in range(reader.count):
            assert abs(quarters(reader.picture(number)) - first.shown()).max() <= 3.0


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
