"""Border: picture files. A portrait, a frame of a sequence, an animated image."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from eadnet.media.animation import read_animation
from eadnet.media.images import read_image
from tests.fuzz.strange import damaged

_STILL = (
    ("png", "RGB"),
    ("png", "RGBA"),
    ("png", "P"),
    ("png", "I;16"),
    ("png", "1"),
    ("jpeg", "RGB"),
    ("jpeg", "CMYK"),
    ("jpeg", "L"),
    ("webp", "RGB"),
    ("webp", "RGBA"),
    ("bmp", "RGB"),
    ("tiff", "RGB"),
    ("tiff", "F"),
    ("gif", "P"),
    ("ppm", "RGB"),
    ("tga", "RGBA"),
    ("ico", "RGBA"),
    ("pcx", "RGB"),
)


class Subject:
    """Small pictures of every kind with bytes changed, most often in the header."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = [_still(kind, mode) for kind, mode in _STILL] + [
            _moving(kind) for kind in ("gif", "webp", "png")
        ]
        for suffix, data in self.files:
            self.attempt(self._written(suffix, data))

    def make(self, random: Random) -> Path:
        suffix, data = random.choice(self.files)
        stop = random.choice((32, 64, 200, len(data)))
        if random.random() < 0.1:  # under a foreign name
            suffix = random.choice(self.files)[0]
        return self._written(suffix, damaged(data, random, 0, stop))

    def about(self, path: Path) -> str:
        return f"{path.name} {path.read_bytes()[:48].hex()}"

    def _written(self, suffix: str, data: bytes) -> Path:
        path = self.folder / f"strange.{suffix}"
        path.write_bytes(data)
        return path

    def attempt(self, path: Path) -> str:
        picture = read_image(path)
        assert (
            picture.ndim == 3
            and picture.shape[2] in (3, 4)
            and bool((picture >= 0).all() and (picture <= 1).all())
        )
        frames = read_animation(path)
        assert frames.ndim == 4 and frames.dtype == np.uint8
        return ""


def _still(kind: str, mode: str) -> tuple[str, bytes]:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8))
    picture = picture.convert("L").convert(mode) if mode == "I;16" else picture.convert(mode)
    about = Image.Exif()
    about[0x0112] = 6
    file = io.BytesIO()
    picture.save(file, kind, **({"exif": about} if kind in ("png", "jpeg", "webp", "tiff") else {}))
    return kind, file.getvalue()


def _moving(kind: str) -> tuple[str, bytes]:
    pictures = [Image.new("RGB", (16, 16), (50 * i, 0, 0)) for i in range(3)]
    file = io.BytesIO()
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=40)
    return kind, file.getvalue()
