"""Video files: exactly the frames that were given, with their sound in step."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import load_audio
from eadnet.media.reader import VideoReader
from eadnet.media.video import even_sized, read_frames, read_video, video_fps, write_video
from tests.media_files import Track, black, write_media
from tests.quick import some


def grey_frames(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Frame i is plain grey of its own level, so that each can be told from the others."""
    return [np.full((height, width, 3), 20 + 7 * (i % 30), dtype=np.uint8) for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 7, 25, 40])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_exactly_the_frames_that_were_given_come_back(tmp_path: Path, count: int, fps: Fraction) -> None:
    frames = grey_frames(count)
    assert write_video(tmp_path / "a.mp4", frames, fps) == count
    video = read_video(tmp_path / "a.mp4")
    assert video.frames.shape == (count, 32, 48, 3)
    assert video.fps == fps
    for got, given in zip(video.frames, frames, strict=True):
        assert abs(got.astype(int) - given.astype(int)).max() <= 4


@pytest.mark.parametrize(("height", "width"), [(31, 48), (32, 47), (33, 33), (2, 2), (1, 1)])
def test_odd_sides_are_made_even(tmp_path: Path, height: int, width: int) -> None:
    write_video(tmp_path / "a.mp4", grey_frames(3, height, width), 25)
    got = read_video(tmp_path / "a.mp4").frames
    assert got.shape == (3, height + height % 2, width + width % 2, 3)


def test_making_even_repeats_the_edge_and_keeps_the_rest() -> None:
    frame = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)
    even = even_sized(frame)
    assert even.shape == (6, 4, 3)
    assert (
        (even[:5, :3] == frame).all()
        and (even[5, :3] == frame[4]).all()
        and (even[:5, 3] == frame[:, 2]).all()
    )


RATES = (8000, 16000, 22050, 44100, 48000, 96000, 11111)


@pytest.mark.parametrize(
    ("rate", "channels"), some(3, [*((rate, 1) for rate in RATES), (16000, 2), (11111, 2), (16000, 6)])
)
def test_sound_of_any_rate_and_number_of_channels_is_carried(
    tmp_path: Path, rate: int, channels: int
) -> None:
    seconds = 0.8
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(int(seconds * rate)) / rate)
    write_video(tmp_path / "a.mp4", grey_frames(20), 25, tone.expand(channels, -1), rate)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert [s.codec_context.name for s in file.streams] == ["h264", "aac"]
        assert file.streams.video[0].frames == 20
    got, got_rate = load_audio(tmp_path / "a.mp4")
    assert got.shape[0] == (channels if channels < 3 else 1)
    assert 0 <= got.shape[1] - seconds * got_rate < 1024, "the last AAC frame is filled up with silence"
    middle = got[0, got.shape[1] // 4 : got.shape[1] // 2]
    assert middle.std().item() == pytest.approx(0.5 / 2**0.5, rel=0.1)
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle))).abs()
    assert spectrum.argmax().item() * got_rate / len(middle) == pytest.approx(440, abs=15)


def test_sound_and_picture_stay_together(tmp_path: Path) -> None:
    """A flash and a click at the same moment, two seconds in, are still together in the file."""
    frames = [np.full((32, 32, 3), 255 if i == 50 else 0, dtype=np.uint8) for i in range(75)]
    waveform = torch.zeros(1, 3 * 16000)
    waveform[0, 2 * 16000 : 2 * 16000 + 160] = 0.9
    write_video(tmp_path / "a.mp4", frames, 25, waveform, 16000)
    flash = int(read_video(tmp_path / "a.mp4").frames.mean(axis=(1, 2, 3)).argmax()) / 25
    sound, rate = load_audio(tmp_path / "a.mp4")
    click = int(sound[0].abs().argmax()) / rate
    assert flash == 2.0 and abs(click - flash) < 0.02


def test_frames_are_streamed(tmp_path: Path) -> None:
    """The writer takes frames one by one and the reader gives them so: neither holds the clip."""

    def frames() -> Iterator[np.ndarray]:
        yield from grey_frames(12)

    write_video(tmp_path / "a.mp4", frames(), 25)
    reader = read_frames(tmp_path / "a.mp4")
    assert next(reader).shape == (32, 48, 3)
    reader.close()  # type: ignore[attr-defined]
    assert len(read_video(tmp_path / "a.mp4", limit=5).frames) == 5


def test_a_failing_source_of_frames_leaves_no_file(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from grey_frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames(), 25)
    with pytest.raises(InputError, match="no frames to write"):
        write_video(tmp_path / "a.mp4", [], 25)
    assert list(tmp_path.iterdir()) == []


def test_names_with_spaces_and_other_letters_work(tmp_path: Path) -> None:
    path = tmp_path / "größer & 'schöner' $HOME 顔.mp4"
    write_video(path, grey_frames(2), 25)
    assert len(read_video(path).frames) == 2


def test_files_that_are_no_video_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no video .*gone.mp4"):
        read_video(tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(InputError, match="text.mp4 cannot be read as a video"):
        video_fps(tmp_path / "text.mp4")


def test_a_sound_file_is_no_video(tmp_path: Path) -> None:
    write_media(tmp_path / "a.wav", tracks=[Track(np.zeros((1, 1600)), 16000)])
    with pytest.raises(InputError, match="a.wav has no video stream"):
        read_video(tmp_path / "a.wav")


def test_a_cut_off_video_gives_the_frames_there_are(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [np.random.randint(0, 255, (64, 64, 3), np.uint8) for _ in range(30)], 25)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data[: len(data) // 2])
    frames = read_video(tmp_path / "b.mp4").frames
    assert 0 < len(frames) < 30


def test_a_stream_that_nothing_can_decode_is_one_sentence(tmp_path: Path) -> None:
    """A codec that FFmpeg does not know, or a bit that fell over in its name."""
    path = write_media(tmp_path / "a.mp4", black(3), codec="libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(InputError, match=r"^a\.mp4 has a video that cannot be decoded"):
        read_video(path)
    with pytest.raises(InputError, match=r"^a\.mp4 has a video that cannot be decoded"):
        VideoReader(path)


def test_small_frames_always_give_the_same_bytes(tmp_path: Path) -> None:
    """x264's macroblock tree is off there: with it 3 of 4,500 files differed."""
    frames = [np.full((32, 32, 3), 40, np.uint8)] * 4
    write_video(tmp_path / "small.mp4", frames, 25, threads=1)
    assert b"mbtree=0" in (tmp_path / "small.mp4").read_bytes()
    write_video(tmp_path / "usual.mp4", [np.full((64, 64, 3), 40, np.uint8)] * 4, 25, threads=1)
    assert b"mbtree=1" in (tmp_path / "usual.mp4").read_bytes()
