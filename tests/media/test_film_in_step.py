"""Picture and sound of a film are together as in its source, wherever each of them starts there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.media.audio import load_audio
from eadnet.media.reader import VideoReader
from eadnet.media.resumable_video import ResumableVideo
from eadnet.media.sound import SoundFile
from eadnet.media.video import write_video
from tests.media_files import mux, packets

FLASH = 50  # the frame that is bright, with a click
SECONDS = 3.0


def source(
    path: Path, *, picture: int = 0, sound: float = 0.0, fps: int = 25, rate: int = 16000, options: str = "2"
) -> Path:
    """A flash and a click at the same moment of the file's clock. The picture starts at ``picture`` ms, the
    sound ``sound`` seconds after it.
    """
    levels = [230 if i == FLASH else 30 for i in range(round(SECONDS * fps))]
    click = FLASH / fps - sound
    samples = np.zeros(round((SECONDS - sound) * rate), np.float32)
    samples[round(click * rate) :][: rate // 100] = 0.9
    pieces = [
        (picture / 1000 + sound + i / rate, samples[i : i + 960]) for i in range(0, len(samples) - 959, 960)
    ]
    made = packets(levels, first=picture, rate=fps, options={"bf": options, "g": "25"})
    return mux(path, made, pieces, told_rate=fps, sound_rate=rate)


def apart(path: Path) -> float:
    """Seconds from the flash to the click."""
    with VideoReader(path) as reader:
        levels = [float(reader.picture(i).mean()) for i in range(reader.count)]
        flash = float(int(np.argmax(levels)) / reader.fps)
    waveform, rate = load_audio(path)
    return int((waveform[0].abs() > 0.3).nonzero()[0]) / rate - flash


@pytest.mark.parametrize(
    ("picture", "sound", "fps", "rate", "ending"),
    [
        (0, 0.3, 25, 48000, "mkv"),
        (400, -0.3, 30, 44100, "mov"),
        *(
            pytest.param(*times, ending, marks=pytest.mark.slow)
            for times in ((0, 0.0, 25, 16000), (1000, 0.0, 50, 22050), (2000, 0.52, 24, 11111))
            for ending in ("mkv", "mov")
        ),
        pytest.param(0, 0.3, 25, 48000, "mov", marks=pytest.mark.slow),
        pytest.param(400, -0.3, 30, 44100, "mkv", marks=pytest.mark.slow),
    ],
)
def test_a_click_stays_with_its_flash(
    tmp_path: Path, picture: int, sound: float, fps: int, rate: int, ending: str
) -> None:
    path = source(tmp_path / f"a.{ending}", picture=picture, sound=sound, fps=fps, rate=rate)
    assert abs(apart(path)) < 0.01
    with VideoReader(path) as reader:
        track = SoundFile(path)
        pictures = [reader.picture(i) for i in range(reader.count)]
        kept = ResumableVideo(tmp_path / "kept.mp4", Fraction(reader.fps), track)
        for one in pictures:
            kept.write(one)
        kept.finish()
        whole = torch.cat(list(track.pieces()), dim=1)
        write_video(tmp_path / "whole.mp4", pictures, reader.fps, whole, track.rate)
    assert abs(apart(tmp_path / "kept.mp4")) < 0.03
    assert abs(apart(tmp_path / "whole.mp4")) < 0.03
