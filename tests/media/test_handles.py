"""No file stays open after a failure, whatever failed: counted among the process's handles."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media import resumable_video
from eadnet.media.background_writer import BackgroundWriter
from eadnet.media.reader import VideoReader
from eadnet.media.resumable_video import GROUP, ResumableVideo, partial_path
from eadnet.media.sound import SoundFile, SoundInMemory
from eadnet.media.speech import record_speech
from eadnet.media.video import read_frames, read_video, write_video
from eadnet.rendering.unfinished import unfinished_video
from tests.quick import some

HANDLES = Path("/proc/self/fd")
pytestmark = pytest.mark.skipif(not HANDLES.is_dir(), reason="this system does not list handles in /proc")
COUNT = 2 * GROUP + 5


@pytest.fixture(scope="module", autouse=True)
def older_objects_are_left_alone() -> Iterator[None]:
    """`nothing_stays_open` collects garbage before every test: not among the libraries' million objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@contextmanager
def nothing_stays_open() -> Iterator[None]:
    """Nothing is open at the end that was not before, though the garbage collector has done nothing yet."""
    gc.collect()
    gc.disable()
    before = {name: os.readlink(HANDLES / name) for name in os.listdir(HANDLES) if (HANDLES / name).exists()}
    try:
        yield
        after = {
            name: os.readlink(HANDLES / name) for name in os.listdir(HANDLES) if (HANDLES / name).exists()
        }
        assert {name: path for name, path in after.items() if name not in before} == {}
    finally:
        gc.enable()


def frame(number: int) -> np.ndarray:
    return np.full((64, 64, 3), 40 + number % 100, np.uint8)


class Sound:
    """A tone whose pieces can fail."""

    rate, channels = 16000, 1

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.notes: list[str] = []

    def pieces(self) -> Iterator[torch.Tensor]:
        for number in range(10):
            if number == self.fails_at:
                raise InputError("the sound is damaged")
            yield torch.zeros(1, 8000)


class Full:
    """A disk on which so many bytes have room."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, storage: Any, data: Any, write: Callable[[Any, Any], int]) -> int:
        self.room -= len(data)
        if self.room < 0:
            storage.failed = OSError(errno.ENOSPC, "No space left on device")
            raise storage.failed
        return write(storage, data)


def fill(path: Path, sound: Any = None, resume: bool = False, frames: Callable[[int], Any] = frame) -> None:
    video = ResumableVideo(path, Fraction(25), sound or Sound(), resume=resume)
    for number in range(video.frames, COUNT):
        video.write(frames(number))
    video.finish()


@pytest.fixture
def full(monkeypatch: Any) -> Callable[[int], None]:
    def make(room: int) -> None:
        disk = Full(room)
        write = resumable_video._Storage.write
        monkeypatch.setattr(
            resumable_video._Storage, "write", lambda storage, data: disk.write(storage, data, write)
        )

    return make


@pytest.mark.parametrize("room", some(3, [0, 10, 2000, 6000, 7000, 7100, 8000, 12000]))
@pytest.mark.parametrize("resume", [False, True])
def test_a_full_disk(tmp_path: Path, full: Any, room: int, resume: bool) -> None:
    path = tmp_path / "a.mp4"
    if resume:
        video = ResumableVideo(path, Fraction(25), Sound())
        for number in range(COUNT):
            video.write(frame(number))
        video.close()
    full(room)
    with nothing_stays_open(), pytest.raises(InputError, match="No space left") as held:
        fill(path, resume=resume)
    assert held.value.__traceback__ is not None and not path.exists()
    assert not (tmp_path / "a.whole.mp4").exists()


@pytest.mark.parametrize(
    "fail",
    some(
        3,
        [
            lambda path: fill(path, Sound(fails_at=0)),
            lambda path: fill(path, Sound(fails_at=9)),
            lambda path: fill(path, frames=lambda n: frame(n)[: 64 - 2 * (n == 60)]),
            lambda path: fill(path, frames=lambda n: frame(n) if n < 60 else None),
            lambda path: fill(path.parent / "missing" / "\0.mp4"),
            lambda path: ResumableVideo(path, Fraction(25)).finish(),
        ],
    ),
    ids=["first sound", "last sound", "other size", "no frame", "no name", "no frames"],
)
def test_a_video_that_fails(tmp_path: Path, fail: Callable[[Path], None]) -> None:
    """Whoever makes it closes it, as a render does."""
    made: list[ResumableVideo] = []
    init = ResumableVideo.__init__

    def remember(self: ResumableVideo, *args: Any, **settings: Any) -> None:
        made.append(self)
        init(self, *args, **settings)

    with pytest.MonkeyPatch.context() as patch, nothing_stays_open():
        patch.setattr(ResumableVideo, "__init__", remember)
        with pytest.raises((InputError, ValueError, AttributeError, TypeError)):
            fail(tmp_path / "a.mp4")
        for video in made:
            video.close()


@pytest.mark.parametrize("name", some(2, ["add_stream", "mux_one", "mux", "close"]))
def test_whatever_the_container_raises(tmp_path: Path, monkeypatch: Any, name: str) -> None:
    """Also what is no error of files: a cancel in the middle of a write, a bug."""

    class Container:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, asked: str) -> Any:
            if asked != name:
                return getattr(self.inner, asked)

            def fail(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            return fail

    import av

    open_container = av.open

    def opened(file: Any, mode: str = "r", **settings: Any) -> Any:
        container: Any = open_container(file, mode, **settings)  # type: ignore[call-overload]
        return Container(container) if mode == "w" else container

    monkeypatch.setattr(av, "open", opened)
    with nothing_stays_open(), pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a.mp4")


def test_a_delivery_that_fails(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    with nothing_stays_open(), pytest.raises(InputError, match="Permission denied"):
        fill(tmp_path / "a.mp4")
    assert partial_path(tmp_path / "a.mp4").exists() and len(list(tmp_path.iterdir())) == 1


def test_a_writer_in_the_background(tmp_path: Path, full: Any) -> None:
    full(3000)
    with nothing_stays_open(), pytest.raises(InputError, match="No space left"):
        video = ResumableVideo(tmp_path / "a.mp4", Fraction(25), Sound())
        with BackgroundWriter(video.write, 8) as write:
            for number in range(4 * COUNT):
                write(frame(number))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "v.mp4"
    write_video(path, [frame(n) for n in range(30)], 25, torch.randn(1, 19200) * 0.1, 16000)
    return path.read_bytes()


def bad_files(whole: bytes) -> dict[str, bytes]:
    scrambled = bytes(255 - byte for byte in whole[200:])
    return {
        "empty": b"",
        "text": b"no video at all\n" * 100,
        "head": whole[:200],
        "half": whole[: len(whole) // 2],
        "torn": whole[:-300],
        "scrambled": whole[:200] + scrambled,
    }


@pytest.mark.parametrize("kind", some(3, ["empty", "text", "head", "half", "torn", "scrambled"]))
@pytest.mark.parametrize(
    "read",
    [
        VideoReader,
        SoundFile,
        read_video,
        lambda path: next(iter(read_frames(path))),
        lambda path: record_speech(SoundFile(path), path.with_suffix(".f32")),
    ],
    ids=["reader", "sound", "video", "frames", "speech"],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, whole: bytes, kind: str, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(bad_files(whole)[kind])
    with nothing_stays_open():
        try:
            found = read(path)
        except InputError:
            return
        if hasattr(found, "close"):  # enough of it is there
            found.close()


def test_the_parts_of_a_video_that_cannot_be_written(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield frame(0)
        raise InputError("no more")

    with nothing_stays_open(), pytest.raises(InputError, match="no more"):
        write_video(tmp_path / "a.mp4", frames(), 25)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_breaks_off(tmp_path: Path) -> None:
    with nothing_stays_open(), pytest.raises(InputError, match="damaged"):
        record_speech(Sound(fails_at=3), tmp_path / "speech.f32")


def test_a_render_that_fails_lets_go_of_its_lock(tmp_path: Path) -> None:
    with (
        nothing_stays_open(),
        pytest.raises(KeyboardInterrupt),
        unfinished_video(tmp_path / "u", "0" * 16, resume=True),
    ):
        raise KeyboardInterrupt
    assert not (tmp_path / "u").exists()


def test_the_count_sees_what_stays_open(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), nothing_stays_open():
        held = SoundInMemory(torch.zeros(1, 10), 16000), open(tmp_path / "a", "wb")  # noqa: SIM115
    held[1].close()
