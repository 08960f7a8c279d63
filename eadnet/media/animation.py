"""Short clips as animated images, for pages that show no video: GIF, WebP and APNG."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..paths import is_file
from .display import on_grey
from .images import DAMAGED
from .reader import ROUNDING, usual_rate

# Ending -> the arguments of Pillow. GIF: 256 colours a frame, times in hundredths of a second.
_FORMATS: dict[str, dict[str, Any]] = {
    ".gif": {},
    ".webp": {"quality": 85, "method": 4},
    ".apng": {},
    ".png": {},
}


def write_animation(path: str | os.PathLike[str], frames: np.ndarray, fps: float | Fraction) -> None:
    """Write frames uint8 [T, H, W, 3] as an animation that repeats; the ending of ``path`` says which kind.

    Raises InputError for no frames, another ending, or a folder that cannot be written.
    """
    import imageio.v3 as iio

    path = Path(path)
    options = _FORMATS.get(path.suffix.lower())
    if options is None:
        raise InputError(
            f"{path.name} is not an animated image: let its name end in {', '.join(sorted(_FORMATS))}."
        )
    if len(frames) == 0 or not fps > 0:
        raise InputError(f"An animation of {len(frames)} frames at {float(fps):g} fps cannot be shown.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            # Encoded first: at a place that cannot be written, imageio would print an error of its own, too.
            iio.imwrite(
                "<bytes>",
                frames,
                plugin="pillow",
                extension=path.suffix.lower(),
                duration=float(1000 / fps),
                loop=0,
                is_batch=True,
                **options,
            )
        )
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}): choose another place.") from error


def read_animation(path: str | os.PathLike[str]) -> np.ndarray:
    """All frames of an animated image, uint8 [T, H, W, 3]; transparent pixels are grey.

    Raises InputError for a missing or broken file.
    """
    with AnimatedImage(path) as animation:
        return np.stack([animation.frame(number) for number in range(animation.frames)])


class AnimatedImage:
    """An animated image (WebP, GIF, APNG) as frames at its own rate, each shown as long as the file says.

    `eadnet.media.reader.VideoReader` does the same for GIF and APNG; FFmpeg shows no animated WebP. With
    ``fps`` its frames are shown one after another at that rate instead. One frame is read at a time, so
    memory does not grow with length. Raises InputError for a missing or broken file. Close it, or use it in a
    ``with`` statement.
    """

    def __init__(self, path: str | os.PathLike[str], fps: Fraction | float | None = None) -> None:
        from PIL import Image

        self.path = Path(path)
        self.notes: list[str] = []
        if not is_file(self.path):
            raise InputError(f"There is no image {self.path}: check the path.")
        self._shown = -1
        self._pixels = np.zeros(0, np.uint8)
        with self._reading():
            self._image: Any = Image.open(self.path)
        try:
            with self._reading():
                self.frames = int(getattr(self._image, "n_frames", 1))
            lasts = []
            for number in range(self.frames):
                with self._reading():
                    self._image.seek(number)
                    self._image.load()
                lasts.append(Fraction(round(float(self._image.info.get("duration") or 0) * 1000), 1_000_000))
            first = self.frame(0)
        except BaseException:
            self.close()
            raise
        self.size = (first.shape[1], first.shape[0])
        if fps is None and all(last > 0 for last in lasts):
            self._times = list(accumulate(lasts, initial=Fraction(0)))
            self.fps = usual_rate(self._times, self.frames / self._times[-1])
        else:
            self.fps = Fraction(fps or 25).limit_denominator(1001)
            self._times = [number / self.fps for number in range(self.frames + 1)]
        self.count = max(1, round(self._times[-1] * self.fps))

    def picture(self, number: int) -> np.ndarray:
        """What is shown at time ``number`` / fps, uint8 [H, W, 3]."""
        if not 0 <= number < self.count:
            raise IndexError(f"frame {number} of {self.count}")
        place = bisect_right(self._times, number / self.fps + ROUNDING) - 1
        return self.frame(min(place, self.frames - 1))

    def frame(self, number: int) -> np.ndarray:
        """Frame ``number`` of the file, uint8 [H, W, 3]; transparent pixels are grey."""
        if number != self._shown:
            with self._reading():
                self._image.seek(number)
                rgba = np.asarray(self._image.convert("RGBA"))
            self._pixels, self._shown = on_grey(rgba[..., :3], rgba[..., 3]), number
        return self._pixels

    def close(self) -> None:
        self._image.close()

    def __enter__(self) -> AnimatedImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        from PIL import Image

        try:
            yield
        except (*DAMAGED, Image.DecompressionBombError) as error:
            raise InputError(
                f"{self.path.name} cannot be read as an animated image: save it again."
            ) from error
