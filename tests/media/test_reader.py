"""Frames of a video by number: every rate, turned, deep, transparent, odd, damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eadnet.errors import InputError
from eadnet.media import reader as reading
from eadnet.media.reader import PicturesInMemory, VideoReader
from eadnet.media.video import write_video
from tests.media_files import write_media

ROOT = Path(__file__).parents[2]


def level(number: int) -> int:
    return 20 + 7 * (number % 30)


def grey(number: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level(number), np.uint8)


def encode(
    path: Path, times: list[int], codec: str = "libx264", pix_fmt: str = "yuv420p", **how: Any
) -> Path:
    """Frame i of its own grey at ``times`` in milliseconds."""
    frames = [grey(number) for number in range(len(times))]
    return write_media(path, frames, codec=codec, pix_fmt=pix_fmt, times=times, **how)


def levels(reader: VideoReader, numbers: Any = None) -> list[int]:
    """Which frame of the source each picture is."""
    pictures = (reader.picture(i) for i in (range(reader.count) if numbers is None else numbers))
    return [round((float(picture.mean()) - 20) / 7) for picture in pictures]


@pytest.mark.parametrize(
    "fps", [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(60)]
)
def test_every_rate_is_kept_and_every_frame_shown_once(tmp_path: Path, fps: Fraction) -> None:
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(30)], fps)
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert (reader.fps, reader.count, reader.size) == (fps, 30, (48, 32)) and not reader.variable
        assert levels(reader) == list(range(30))


@pytest.mark.slow
def test_frames_come_in_any_order(tmp_path: Path) -> None:
    """Also from before a key frame, and backwards over one."""
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(600)], 25)
    order = [0, 599, 3, *range(280, 230, -1), 5, 5, 260, *range(20)]
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert levels(reader, order) == [i % 30 for i in order]


def test_little_is_held_however_long_the_video(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(200)], 25)
    with VideoReader(tmp_path / "v.mp4") as reader:
        levels(reader)
        assert len(reader._held) <= 64


def test_a_variable_rate_is_shown_as_a_player_shows_it(tmp_path: Path) -> None:
    """Ten frames within 0.5 s, then ten within 1.5 s: 20 frames in 2 s, picked by their time."""
    times = [50 * i for i in range(10)] + [500 + 150 * i for i in range(10)]
    with VideoReader(encode(tmp_path / "v.mkv", times)) as reader:
        assert reader.variable
        assert float(reader.count / reader.fps) == pytest.approx(1.95, abs=0.15)
        shown = levels(reader)
        at = [float(i / reader.fps) * 1000 for i in range(reader.count)]
        expected = [max(k for k, time in enumerate(times) if time <= t + 1.5) for t in at]
        assert shown == expected


def test_times_rounded_to_milliseconds_double_no_frame(tmp_path: Path) -> None:
    times = [round(i * 1000 / 30) for i in range(60)]
    with VideoReader(encode(tmp_path / "v.mkv", times, rate=30)) as reader:
        assert not reader.variable and levels(reader) == [i % 30 for i in range(60)]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name"),
    [
        ("libx264", "yuv420p10le", "v.mp4"),
        ("prores_ks", "yuv422p10le", "v.mov"),
    ],
)
def test_ten_bits_are_eight(tmp_path: Path, codec: str, pix_fmt: str, name: str) -> None:
    encode(tmp_path / name, [40 * i for i in range(12)], codec, pix_fmt)
    with VideoReader(tmp_path / name) as reader:
        assert reader.picture(0).dtype == np.uint8 and levels(reader) == list(range(12))


HEVC = """
import sys
from pathlib import Path
from tests.media.test_reader import *
path, what = Path(sys.argv[1]), sys.argv[2]
if what == "read":
    with VideoReader(path) as reader:
        print("levels", levels(reader))
else:
    encode(path, [40 * i for i in range(12)], "libx265", what)
    os._exit(0)  # FFmpeg's x265 damages its memory when it is let go
"""


@pytest.mark.slow
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_hevc_is_read_without_touching_foreign_memory(tmp_path: Path, pix_fmt: str) -> None:
    """In a process of its own, with the C library checking its heap at every step.

    The video is written by another one, unchecked: FFmpeg's x265 may end it, or wait for ever, before the
    file is whole.
    """

    def run(what: str, **checks: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", HEVC, str(tmp_path / "v.mp4"), what]
        environment = {**os.environ, **checks}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def written() -> bool:
        try:
            return run(pix_fmt).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    if not any(written() for _ in range(3)):
        pytest.skip("this FFmpeg has no x265, or one that cannot write twelve frames")
    read = run("read", MALLOC_CHECK_="3", MALLOC_PERTURB_="165")
    assert read.returncode == 0, read.stderr
    assert f"levels {list(range(12))}" in read.stdout


@pytest.mark.parametrize("degrees", [-90, 90, 180])
def test_a_phones_video_is_shown_upright(tmp_path: Path, degrees: int) -> None:
    """The pixels lie as the sensor does, and the file says how far to turn them, counter-clockwise."""
    upright = np.zeros((48, 32, 3), np.uint8)
    upright[:24, :16], upright[24:, 16:] = 220, 90
    stored = np.ascontiguousarray(np.rot90(upright, round(-degrees / 90)))
    write_media(tmp_path / "v.mp4", [stored] * 3, codec="libx264", rotation=degrees)
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert reader.size == (32, 48) and reader.count == 3
        assert abs(reader.picture(1).astype(int) - upright).mean() < 3


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [(0.0, 0.2, range(5)), (0.4, 0.0, range(10, 30)), (0.8, 0.2, range(20, 25)), (1.0, 9.0, range(25, 30))],
)
def test_a_part_of_a_file(tmp_path: Path, start: float, seconds: float, expected: range) -> None:
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(30)], 25)
    with VideoReader(tmp_path / "v.mp4", start, seconds) as reader:
        assert levels(reader) == list(expected)


@pytest.mark.parametrize(("start", "seconds"), [(float("nan"), 0.0), (0.0, float("inf"))])
def test_a_part_that_is_no_number_is_one_sentence(tmp_path: Path, start: float, seconds: float) -> None:
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(4)], 25)
    with pytest.raises(InputError, match="give finite numbers"):
        VideoReader(tmp_path / "v.mp4", start, seconds)


def test_a_part_without_frames_is_one_sentence(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(10)], 25)
    with pytest.raises(InputError, match="no frames from 3 s on for 1 s: choose another start or duration"):
        VideoReader(tmp_path / "v.mp4", 3.0, 1.0)


def test_reading_at_two_places_by_turns_decodes_each_frame_twice_and_not_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a render does: what will be generated is read some windows ahead of what is finished."""
    write_video(tmp_path / "v.mp4", [grey(i) for i in range(200)], 25)
    decoded = 0
    advance = reading._Cursor.advance

    def counted(self: Any) -> Any:
        nonlocal decoded
        decoded += 1
        return advance(self)

    monkeypatch.setattr(reading._Cursor, "advance", counted)
    order = [
        i for start in range(0, 120, 8) for i in (*range(start + 80, start + 88), *range(start, start + 8))
    ]
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert levels(reader, order) == [i % 30 for i in order]
    assert decoded <= 2 * 200


def test_transparent_pixels_show_grey(tmp_path: Path) -> None:
    pixels = np.full((32, 48, 4), 255, np.uint8)
    pixels[:, :24, 3] = 0
    write_media(tmp_path / "v.mov", [pixels] * 3, codec="qtrle", pix_fmt="argb")
    with VideoReader(tmp_path / "v.mov") as reader:
        picture = reader.picture(1)
        assert (picture[:, :24] == 128).all() and (picture[:, 24:] == 255).all()


def test_odd_sizes_stay_odd(tmp_path: Path) -> None:
    frames = [grey(i, 33, 47) for i in range(3)]
    write_media(tmp_path / "v.avi", frames, codec="ffv1", pix_fmt="bgr0")
    with VideoReader(tmp_path / "v.avi") as reader:
        assert reader.size == (47, 33) and levels(reader) == [0, 1, 2]


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_holds_its_last_good_frame(tmp_path: Path, share: float) -> None:
    encode(tmp_path / "v.mkv", [40 * i for i in range(100)], options={"g": "10"})
    data = (tmp_path / "v.mkv").read_bytes()
    (tmp_path / "v.mkv").write_bytes(data[: int(len(data) * share)])
    with VideoReader(tmp_path / "v.mkv") as reader:
        assert 5 < reader.count <= 100
        shown = levels(reader)
        assert shown == [i % 30 for i in range(len(shown))] or shown[:-1] == [
            i % 30 for i in range(len(shown) - 1)
        ]


def test_damage_in_the_middle_shows_the_frame_before_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encode(tmp_path / "v.avi", [40 * i for i in range(40)], "mjpeg", "yuvj420p")
    data = bytearray((tmp_path / "v.avi").read_bytes())
    starts = [i for i in range(len(data) - 2) if data[i : i + 3] == b"\xff\xd8\xff"]
    data[starts[20] : starts[20] + 570] = bytes(570)  # all of a picture but its last bytes
    (tmp_path / "v.avi").write_bytes(bytes(data))
    with VideoReader(tmp_path / "v.avi") as reader:
        assert levels(reader) == [*range(20), 19, *range(21, 30), *range(10)]
    assert "v.avi is damaged at frame 20: the one before is shown there" in caplog.text


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(5000)])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match="v.mp4"):
        VideoReader(tmp_path / "v.mp4")


def test_an_mp4_without_its_end_is_one_sentence(tmp_path: Path) -> None:
    encode(tmp_path / "v.mp4", [40 * i for i in range(50)])
    data = (tmp_path / "v.mp4").read_bytes()
    (tmp_path / "v.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="v.mp4 cannot be read as a video"):
        VideoReader(tmp_path / "v.mp4")


def test_pictures_in_memory_are_rounded_as_the_files_are() -> None:
    frames = np.stack([grey(i) for i in range(3)])
    for given in (frames, frames / np.float32(255)):
        pictures = PicturesInMemory(given, 25)
        assert pictures.count == 3 and pictures.size == (48, 32)
        assert np.array_equal(pictures.picture(2), frames[2])
