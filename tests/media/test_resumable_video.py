"""A video in the making: plays at any time, continues after a crash, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.audio import load_audio
from eadnet.media.resumable_video import GROUP, ResumableVideo, count_groups, partial_path
from eadnet.media.sound import SoundInMemory
from eadnet.media.video import read_video
from tests.quick import some

ROOT = Path(__file__).parents[2]


def frame(number: int, side: int = 32) -> np.ndarray:
    """A picture that moves, different for every number."""
    y, x = np.mgrid[:side, :side]
    wave = np.sin((x + 2 * number) / 5) * 60 + np.cos((y - number) / 7) * 40 + 120
    return np.stack([wave, wave[::-1], wave.T], axis=-1).astype(np.uint8)


def tone(seconds: float, rate: int = 48000, channels: int = 2) -> SoundInMemory:
    time = torch.arange(round(seconds * rate)) / rate
    return SoundInMemory((0.3 * torch.sin(2764 * time)).expand(channels, -1), rate)


def write(path: Path, count: int, resume: bool = False) -> ResumableVideo:
    video = ResumableVideo(path, Fraction(25), tone(count / 25), resume=resume)
    for number in range(video.frames, count):
        video.write(frame(number))
    return video


def streams(path: Path) -> tuple[float, float]:
    """Seconds of picture and sound, as the file says."""
    with av.open(str(path)) as file:
        picture, sound = (float((s.duration or 0) * (s.time_base or 0)) for s in file.streams)
        return picture, sound


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP + 5])
def test_exactly_the_frames_that_were_given_come_out(tmp_path: Path, count: int) -> None:
    assert write(tmp_path / "a.mp4", count).finish() == count
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    video = read_video(tmp_path / "a.mp4")
    assert len(video.frames) == count and video.fps == 25
    for number, got in enumerate(video.frames):
        assert abs(got.astype(int) - frame(number)).mean() < 6
    picture, sound = streams(tmp_path / "a.mp4")
    assert abs(picture - count / 25) < 0.001 and abs(sound - picture) <= 0.02


@pytest.mark.parametrize(
    "fps", some(2, [Fraction(24), Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(60)])
)
def test_every_frame_rate_is_kept_and_sound_ends_with_the_picture(tmp_path: Path, fps: Fraction) -> None:
    video = ResumableVideo(tmp_path / "a.mp4", fps, tone(float(101 / fps), 44100, 1))
    for number in range(101):
        video.write(frame(number))
    video.finish()
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.streams.video[0].average_rate == fps
    picture, sound = streams(tmp_path / "a.mp4")
    assert abs(picture - sound) <= 0.5 / fps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (22050, 2), (11111, 2), (96000, 1), (48000, 6), (48000, 8), (11111, 8)]
)
def test_sound_keeps_its_rate_and_channels(tmp_path: Path, rate: int, channels: int) -> None:
    video = ResumableVideo(tmp_path / "a.mp4", Fraction(25), tone(2, rate, channels))
    for number in range(50):
        video.write(frame(number))
    video.finish()
    waveform, got = load_audio(tmp_path / "a.mp4")
    assert got == (rate if rate != 11111 else 48000) and waveform.shape[0] == channels
    middle = waveform[0, got // 2 : got]
    assert middle.std().item() == pytest.approx(0.3 / 2**0.5, rel=0.1)


@pytest.mark.parametrize(("end", "expected"), some(1, [(1.0, 1.0), (None, 2.0), (3.0, 3.0)]))
def test_sound_can_be_cut_or_followed_by_silence(tmp_path: Path, end: float | None, expected: float) -> None:
    video = ResumableVideo(tmp_path / "a.mp4", Fraction(25), tone(2), seconds=end)
    for number in range(75):
        video.write(frame(number))
    video.finish()
    assert streams(tmp_path / "a.mp4")[1] == pytest.approx(expected, abs=0.002)


@pytest.mark.slow
def test_a_partial_video_plays(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", 3 * GROUP)
    seen = read_video(partial_path(tmp_path / "a.mp4")).frames
    assert len(seen) >= 2 * GROUP, "all but the last group are on the disk while the video is open"
    video.close()
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [5, GROUP, 2 * GROUP + 7, 4 * GROUP])
def test_a_continued_video_is_the_same_to_the_last_bit(tmp_path: Path, stopped: int) -> None:
    count = 4 * GROUP + 9
    write(tmp_path / "whole.mp4", count).finish()
    video = ResumableVideo(tmp_path / "a.mp4", Fraction(25), tone(count / 25))
    for number in range(stopped):
        video.write(frame(number))
    video.close()
    assert count_groups(partial_path(tmp_path / "a.mp4")) == stopped // GROUP
    again = write(tmp_path / "a.mp4", count, resume=True)
    assert again.finish() == count
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.slow
def test_kill_9_leaves_a_video_that_plays_and_goes_on(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.media.test_resumable_video import *\n"
        "video = write(Path(sys.argv[1]), 4 * GROUP + 9)\n"
        "print('written', flush=True); time.sleep(60)"
    )
    path = tmp_path / "a.mp4"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "written\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert len(read_video(partial_path(path)).frames) >= 3 * GROUP
    write(tmp_path / "whole.mp4", 4 * GROUP + 9).finish()
    write(path, 4 * GROUP + 9, resume=True).finish()
    assert path.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 100, 3000])
def test_a_torn_off_end_is_left_out(tmp_path: Path, cut: int) -> None:
    path, count = tmp_path / "a.mp4", 3 * GROUP
    write(path, count).close()
    partial = partial_path(path)
    partial.write_bytes(partial.read_bytes()[:-cut])
    assert count_groups(partial) in (2, 3)
    write(path, count, resume=True).finish()
    write(tmp_path / "whole.mp4", count).finish()
    assert path.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        ResumableVideo(tmp_path / "file" / "a.mp4", Fraction(25))


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_leaves_what_plays(tmp_path: Path) -> None:
    code = (
        "import sys, resource, signal; from pathlib import Path\n"
        "from tests.media.test_resumable_video import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))\n"
        "try: write(Path(sys.argv[1]), 40 * GROUP).finish()\n"
        "except InputError as error: print(error)"
    )
    path = tmp_path / "a.mp4"
    child = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "cannot be written on" in child.stdout and "a.partial.mp4" in child.stdout, child.stderr
    assert len(read_video(partial_path(path)).frames) >= GROUP
    assert not path.exists()


def test_no_frames_are_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        ResumableVideo(tmp_path / "a.mp4", Fraction(25)).finish()
    assert list(tmp_path.iterdir()) == []
