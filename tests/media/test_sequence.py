"""A folder of numbered images is a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eadnet.errors import InputError
from eadnet.media.sequence import ImageSequence, write_sequence


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 12, 20, 3), np.uint8)


def test_frames_come_back_in_their_order(tmp_path: Path) -> None:
    assert write_sequence(tmp_path / "out", frames(12)) == 12
    read = ImageSequence(tmp_path / "out", 25)
    assert (read.count, read.size, read.fps) == (12, (20, 12), 25)
    assert np.array_equal(np.stack([read.picture(i) for i in range(12)]), frames(12))


def test_names_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 2):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(tmp_path / f"frame_{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    read = ImageSequence(tmp_path, 25)
    assert [int(read.picture(i)[0, 0, 0]) for i in range(read.count)] == [2, 9, 10]


def test_transparent_pixels_are_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "1.png")
    assert (ImageSequence(tmp_path, 25).picture(0) == 128).all()


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    write_sequence(tmp_path, frames(2))
    Image.new("RGB", (4, 4)).save(tmp_path / "00003.png")
    with pytest.raises(InputError, match=r"00003\.png has 4 x 4 pixels and the first image 20 x 12"):
        ImageSequence(tmp_path, 25).picture(2)


def test_a_folder_without_images_is_refused_and_one_with_images_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        ImageSequence(tmp_path, 25)
    write_sequence(tmp_path, frames(1))
    with pytest.raises(InputError, match="holds images already"):
        write_sequence(tmp_path, frames(1))
