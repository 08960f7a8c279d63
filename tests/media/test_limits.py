"""What headers state is judged before memory is made, and a name is never an address."""

from __future__ import annotations

import math
import os
import struct
import time
import tracemalloc
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media import limits
from eadnet.media.audio import load_audio, to_mono_16k
from eadnet.media.opening import media_name, open_media
from eadnet.media.sound import SoundFile
from eadnet.media.speech import record_speech
from tests.media_files import mux, packets


def write_wav(path: Path, rate: int = 16000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\1\0" * 6400 * channels)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("rate", [1_073_757_824, 2**31 - 1, 16000 ^ (1 << 20), 999, 1])
def test_a_flipped_bit_in_a_rate_is_a_sentence_at_once(tmp_path: Path, rate: int) -> None:
    started = time.process_time()
    tracemalloc.start()
    with pytest.raises(InputError, match="samples per second"):
        load_audio(write_wav(tmp_path / "a.wav", rate))
    assert tracemalloc.get_traced_memory()[1] < 50 << 20 and time.process_time() - started < 2
    tracemalloc.stop()


@pytest.mark.parametrize("rate", [10**9, 10**400, 0, -1, math.nan, math.inf, 22050.5])
def test_a_rate_from_a_graph_is_judged_likewise(rate: float) -> None:
    with pytest.raises(InputError, match="samples per second"):
        to_mono_16k(torch.ones(10), rate)  # type: ignore[arg-type]


def test_sensible_numbers_pass() -> None:
    for rate in (8000, 44100, 48000.0, 192_000, 705_600):
        assert limits.check_rate(rate, "a") == rate
    limits.check_picture_size((7680, 4320), "a")
    limits.check_picture_size((12000, 9000), "a")
    limits.check_channels(8, "a")
    limits.check_seconds(86_400, "a")
    for fps in (Fraction(24000, 1001), 0.1, 240):
        limits.check_frame_rate(fps, "a")


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (16_385, 1), (16_000, 16_000), (10**400, 2)])
def test_absurd_pictures_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="pixels"):
        limits.check_picture_size(size, "a.mp4")


@pytest.mark.parametrize("fps", [0, -1, 1e9, math.nan, math.inf, Fraction(90000)])
def test_absurd_frame_rates_are_refused(fps: Fraction | float) -> None:
    with pytest.raises(InputError, match="frames per second"):
        limits.check_frame_rate(fps, "a.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "http:x.wav",
        "concat:a.wav|b.wav",
        "pipe:0",
        "a:b:c.wav",
        "%03d.wav",
        "file:x.wav",
        "-y.wav",
        "é\udcff.wav",
    ],
)
def test_a_relative_name_is_a_file_whatever_it_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        write_wav(Path(name))
    except OSError:
        pytest.skip("this file system has no such names")
    assert SoundFile(name).rate == 16000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.mp4", "ffconcat version 1.0\nfile x.wav\n"),
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nx.wav\n#EXT-X-ENDLIST\n"),
        ("a.wav", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"),
    ],
)
def test_a_list_of_other_files_is_none(tmp_path: Path, name: str, text: str) -> None:
    write_wav(tmp_path / "x.wav")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError):
        SoundFile(tmp_path / name)


def test_what_restricts_a_container_is_not_for_its_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV 16.0 crashes where `options` meet a file that does not list its streams first (.mpg, .vob)."""
    given: list[dict] = []
    opened: Any = av.open

    def watched(*names: Any, **how: Any) -> Any:
        given.append(how)
        return opened(*names, **how)

    path = mux(tmp_path / "a.mpg", packets([40, 60] * 10, codec="mpeg2video", options={}), codec="mpeg2video")
    monkeypatch.setattr(av, "open", watched)
    with open_media(path) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert [set(how) for how in given] == [{"container_options"}]


def test_only_files_are_opened() -> None:
    with pytest.raises(OSError):
        open_media("http://127.0.0.1:9/a.wav")
    assert os.path.isabs(media_name("http:a").removeprefix("file:"))


def test_speech_of_an_absurd_rate_is_refused_before_a_filter_is_made(tmp_path: Path) -> None:
    class Absurd:
        rate, channels = 1_073_757_823, 1

        def __init__(self) -> None:
            self.notes: list[str] = []

        def pieces(self) -> Iterator[torch.Tensor]:
            yield torch.ones(1, 10)

    with pytest.raises(InputError, match="samples per second"):
        record_speech(Absurd(), tmp_path / "speech")
