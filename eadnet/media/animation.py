"""Short clips as animated images, for pages that show no video: GIF, WebP and APNG."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .reader import GREY

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

    `eadnet.media.reader.VideoReader` reads GIF and APNG frame by frame, with their times; FFmpeg shows no
    animated WebP. Raises InputError for a missing or broken file.
    """
    import imageio.v3 as iio

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no image {path}: check the path.")
    try:
        rgba = np.stack(list(iio.imiter(path, plugin="pillow", mode="RGBA"))).astype(np.uint16)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{path.name} cannot be read as an animated image: save it again.") from error
    alpha = rgba[..., 3:]
    return ((rgba[..., :3] * alpha + GREY * (255 - alpha) + 127) // 255).astype(np.uint8)
