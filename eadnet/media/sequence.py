"""Videos as image sequences: a folder with one numbered image for each frame, in and out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from .images import read_image, write_png
from .reader import GREY

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


class ImageSequence:
    """The images of a folder as frames at ``fps``, in the order of the numbers in their names.

    One image is read at a time, when it is asked for; transparent pixels are grey.
    Raises InputError for a folder without images, and for an image of another size than the first.
    """

    def __init__(self, folder: str | os.PathLike[str], fps: Fraction | float) -> None:
        self.folder = Path(folder)
        self.notes: list[str] = []
        self.files = sorted(
            (file for file in self.folder.iterdir() if file.suffix.lower() in SUFFIXES), key=_by_numbers
        )
        if not self.files:
            raise InputError(f"The folder {self.folder} holds no images: choose one with PNG or JPEG files.")
        self.fps = Fraction(fps).limit_denominator(1001)
        self.count = len(self.files)
        first = self._read(0)
        self.size = (first.shape[1], first.shape[0])

    def picture(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        pixels = self._read(number)
        if (pixels.shape[1], pixels.shape[0]) != self.size:
            raise InputError(
                f"{self.files[number].name} has {pixels.shape[1]} x {pixels.shape[0]} pixels and the first "
                f"image {self.size[0]} x {self.size[1]}: make all images of a sequence the same size."
            )
        return pixels

    def _read(self, number: int) -> np.ndarray:
        pixels = read_image(self.files[number])
        if pixels.shape[-1] == 4:
            alpha = pixels[..., 3:]
            pixels = pixels[..., :3] * alpha + GREY / 255 * (1 - alpha)
        return (pixels * 255).round().to(torch.uint8).numpy()


def write_sequence(folder: str | os.PathLike[str], frames: Iterable[np.ndarray]) -> int:
    """Write frames uint8 [H, W, 3] as 00001.png, 00002.png, ...; returns how many.

    Raises InputError for a folder that holds images already, or that cannot be written.
    """
    folder = Path(folder)
    if folder.is_dir() and any(file.suffix.lower() in SUFFIXES for file in folder.iterdir()):
        raise InputError(f"The folder {folder} holds images already: choose an empty one.")
    count = 0
    for count, frame in enumerate(frames, 1):
        write_png(folder / f"{count:05}.png", frame)
    return count


def _by_numbers(file: Path) -> list[tuple[bool, int, str]]:
    """frame_2 before frame_10."""
    parts = re.split(r"(\d+)", file.name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]
