"""Sound as a stream: several tracks, parts of a file, tracks that nothing can decode."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.errors import InputError
from eadnet.media.sound import SoundFile
from tests.media_files import Track, black, write_media

RATE = 16000


def video_file(path: Path, levels: list[float], seconds: float = 2.0, codec: str = "pcm_s16le") -> Path:
    """A picture track of one second and a sound track for each level, which rises from 0 to it."""
    samples = [np.linspace(0, level, round(seconds * RATE), dtype=np.float32)[None] for level in levels]
    return write_media(path, black(25), [Track(rising, RATE, codec) for rising in samples])


def heard(sound: SoundFile) -> torch.Tensor:
    return torch.cat(list(sound.pieces()), dim=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 10])
def test_any_number_of_channels_is_heard_each_by_itself(tmp_path: Path, channels: int) -> None:
    """In the format that has a plane for each channel, PyAV crashes at eight."""
    from scipy.io import wavfile

    samples = np.arange(1, channels + 1, dtype=np.float32) / 20 * np.ones((800, 1), np.float32)
    wavfile.write(tmp_path / "a.wav", RATE, samples)
    sound = SoundFile(tmp_path / "a.wav")
    assert sound.channels == channels
    assert torch.equal(heard(sound), torch.from_numpy(samples.T.copy()))


def test_of_two_tracks_the_first_is_heard_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        samples = heard(SoundFile(video_file(tmp_path / "a.mkv", [0.2, 0.8])))
    assert samples.shape == (1, 2 * RATE) and samples.max().item() == pytest.approx(0.2, abs=1e-3)
    assert "2 audio tracks: the first is used" in caplog.text


def test_a_track_that_nothing_can_decode_is_passed_over(tmp_path: Path) -> None:
    path = video_file(tmp_path / "a.mov", [0.2, 0.8])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"sowt", b"apac", 1))  # as the spatial sound of phones
    assert heard(SoundFile(path)).max().item() == pytest.approx(0.8, abs=1e-3)
    path.write_bytes(data.replace(b"sowt", b"apac"))
    with pytest.raises(InputError, match="no audio track that can be decoded"):
        SoundFile(path)


def test_damaged_pieces_are_counted_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An hour of them would be a hundred thousand lines."""
    path = video_file(tmp_path / "a.mkv", [0.5], codec="aac")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 4, len(data), 97):
        data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    list(SoundFile(path).pieces())
    said = [line for line in caplog.messages if "damaged" in line]
    assert 0 < len(said) <= 2 and all(any(c.isdigit() for c in line) for line in said)


def test_no_sound_track_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a.mkv has no audio track: choose a file with audio"):
        SoundFile(video_file(tmp_path / "a.mkv", []))


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [(0.0, 0.5, (0, 8000)), (0.5, 0.0, (8000, 32000)), (1.5, 0.25, (24000, 28000))],
)
def test_a_part_is_that_of_the_whole(
    tmp_path: Path, start: float, seconds: float, expected: tuple[int, int]
) -> None:
    path = video_file(tmp_path / "a.mkv", [0.5])
    whole, part = heard(SoundFile(path)), heard(SoundFile(path, start, seconds))
    assert torch.equal(part, whole[:, slice(*expected)])


def test_a_part_beyond_the_end_has_no_samples(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no samples"):
        heard(SoundFile(video_file(tmp_path / "a.mkv", [0.5]), 2.5, 1.0))
