"""A VIDEO is seen by the nodes as a player shows its file, whatever the file's stream is like."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from tests.players import STREAMS, Stream, quarters
from tests.quick import some


@pytest.fixture(scope="module")
def opened(submodule: Callable[[str], Any]) -> Callable[[Any], Any]:
    return submodule("nodes.footage").opened


@pytest.fixture(scope="module")
def video_from(pack: Any) -> Callable[[Any], Any]:
    from comfy_api.input_impl import VideoFromFile

    return VideoFromFile


@pytest.mark.parametrize("stream", some(14, STREAMS), ids=lambda stream: stream.name)
def test_a_video_looks_as_in_a_player(
    opened: Callable[[Any], Any], video_from: Callable[[Any], Any], tmp_path: Path, stream: Stream
) -> None:
    try:
        path = stream.write(tmp_path)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg cannot write {stream.codec} as {stream.pix_fmt}: {error}")
    near = {"palette_gif": 40.0, "mjpeg_hd": 4.0, "alpha_vp8": 6.0}.get(stream.name, 2.0)
    for source in (str(path), io.BytesIO(path.read_bytes())):
        with opened(video_from(source)) as footage:
            frame = footage.one(1)
            assert footage.size == frame.shape[:2]
            assert frame.shape[1::-1] == pytest.approx(stream.shape(), abs=1)
            assert torch.equal(footage.some([1])[0], torch.from_numpy(frame))
            assert abs(quarters(frame) - stream.shown()).max() <= near
