"""Border: video files. Frames by number in any order, frames in a row, and the sound track."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from eadnet.errors import InputError
from eadnet.media.reader import VideoReader
from eadnet.media.sound import SoundFile
from eadnet.media.speech import record_speech
from eadnet.media.video import read_video
from tests.fuzz.strange import damaged
from tests.media_files import Track, write_media

_KINDS = (
    ("mp4", "libx264", "yuv420p", "aac"),
    ("mp4", "mpeg4", "yuv420p", "aac"),
    ("mov", "libx264", "yuv444p", "pcm_s16le"),
    ("webm", "libvpx-vp9", "yuva420p", "libopus"),
    ("webm", "libvpx", "yuv420p", "libopus"),
    ("mkv", "libx264", "yuv420p", "flac"),
    ("avi", "mpeg4", "yuv420p", "mp3"),
    ("gif", "gif", "rgb8", ""),
    ("ts", "libx264", "yuv420p", "aac"),
    ("mkv", "ffv1", "bgr0", "pcm_s16le"),
)


class Subject:
    """A dozen frames in every container, with bytes changed in the header or anywhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = []
        noise = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)
        pictures = [noise[number % 3] for number in range(12)]
        for number, (suffix, codec, pix_fmt, sound) in enumerate(_KINDS):
            rate = 48000 if sound == "libopus" else 44100
            samples = np.random.default_rng(1).uniform(-0.3, 0.3, (1, rate // 2))
            tracks = [Track(samples, rate, sound)] if sound else []
            path = folder / f"{number}.{suffix}"
            write_media(
                path, pictures, tracks, codec=codec, pix_fmt=pix_fmt, rotation=90 if number == 0 else 0
            )
            self.files.append((suffix, path.read_bytes()))
            self.attempt(path)

    def make(self, random: Random) -> Path:
        suffix, data = random.choice((*self.files[:4], *self.files))
        path = self.folder / f"strange.{suffix}"
        start = random.choice((0, 0, max(0, len(data) - 2500)))  # an MP4 has its table at the end
        path.write_bytes(damaged(data, random, start, start + random.choice((64, 400, 2500, len(data)))))
        return path

    def about(self, path: Path) -> str:
        return f"{path.name} {path.stat().st_size} bytes"

    def attempt(self, path: Path) -> str:
        with VideoReader(path) as reader:
            assert reader.count > 0 and reader.fps > 0
            last = reader.count - 1
            for number in (0, last, last // 2, last // 3, min(last, 3)):
                frame = reader.picture(number)
                assert frame.shape == (reader.size[1], reader.size[0], 3) and frame.dtype == np.uint8
        read_video(path, limit=20)
        try:
            record_speech(SoundFile(path), self.folder / "speech.f32")
        except InputError as error:  # a video without sound is one, too
            return str(error)
        return ""
