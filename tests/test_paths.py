"""Names that somebody typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eadnet.errors import CheckpointError, InputError
from eadnet.media.animation import AnimatedImage
from eadnet.media.images import read_image
from eadnet.media.reader import VideoReader
from eadnet.media.sound import SoundFile
from eadnet.paths import is_file
from eadnet.weights import open_weights

NO_NAMES = ["x" * 5000, "n" * 300 + ".mp4", "a\0b", "\N{SNOWMAN}" * 200]


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[:4]))
def test_a_name_that_no_file_can_have_is_none(name: str, tmp_path: Path) -> None:
    assert not is_file(tmp_path / name)


def test_a_file_is_one_and_a_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert is_file(tmp_path / "a") and not is_file(tmp_path) and not is_file(tmp_path / "b")


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: ascii(name[:4]))
@pytest.mark.parametrize("reader", [VideoReader, SoundFile, read_image, AnimatedImage])
def test_every_reader_says_so_in_a_sentence(reader: Callable[[str], object], name: str) -> None:
    with pytest.raises(InputError, match="check the path"):
        reader(name)


def test_so_does_what_reads_weights() -> None:
    with pytest.raises(CheckpointError, match="There is no file"), open_weights("x" * 5000):
        pass
