"""Still pictures: reading any common file, writing PNG, contact sheets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

# Pictures [H, W, C] turned upright, by the value of EXIF's Orientation. imageio's own `rotate` goes by the
# axes of the pixels in the file, which is wrong for grey and palettes that it gives out as RGB.
_UPRIGHT: Mapping[object, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}


def read_image(path: str | os.PathLike[str]) -> Tensor:
    """A picture file as [H, W, C] float32 in [0, 1], C = 3, or 4 when it has transparency.

    The camera's rotation (EXIF) is applied; palettes, grey, 16 bit and CMYK are converted; of an animation
    the first frame is taken. Raises InputError for a missing, broken or absurdly large file.
    """
    import imageio.v3 as iio
    from PIL import Image

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no image {path}: check the path.")
    try:
        with iio.imopen(path, "r", plugin="pillow") as file:
            about = file.metadata(index=0, exclude_applied=False)
            pixels = _pixels(file, about)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise InputError(f"{path.name} has too many pixels: scale it down first.") from error
        raise InputError(f"{path.name} cannot be read as an image: save it as PNG or JPEG again.") from error
    upright = _UPRIGHT.get(about.get("Orientation"), np.asarray)(pixels)
    return torch.from_numpy(np.ascontiguousarray(upright))


def _pixels(file: Any, about: Mapping[str, Any]) -> np.ndarray:
    """The first picture of an open file as float32 [H, W, 3 or 4] in [0, 1]; ``about`` is its metadata."""
    mode = about["mode"]
    if mode.startswith("I") or mode == "F":  # 16 or 32 bit grey: as RGB it would be clipped
        grey = np.asarray(file.read(index=0), dtype=np.float32)
        grey = grey / (1.0 if mode == "F" and grey.max() <= 1 else 65535.0)
        return np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2)
    # imageio gives palettes and print colours as they are in the file: the pixel format is requested.
    transparent = mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in about
    return np.asarray(file.read(index=0, mode="RGBA" if transparent else "RGB"), dtype=np.float32) / 255


def write_png(path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    """Write uint8 pixels [H, W, 3] as PNG. Raises InputError when the folder cannot be written."""
    import imageio.v3 as iio

    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(path, pixels, plugin="pillow", extension=".png")
    except OSError as error:
        raise InputError(f"The image {path} cannot be written ({error}): choose another place.") from error


def contact_sheet(frames: np.ndarray, count: int = 16, columns: int = 8, gap: int = 2) -> np.ndarray:
    """``count`` frames spread evenly over a clip [T, H, W, 3] uint8, in rows on white -> [H', W', 3] uint8.

    The first and the last frame are always shown. Raises InputError for an empty clip or senseless numbers.
    """
    if len(frames) == 0:
        raise InputError("The video has no frames: there is nothing to show.")
    if count < 1 or columns < 1 or gap < 0:
        raise InputError(
            f"A sheet of {count} frames in {columns} columns makes no sense: use 1 or more of each."
        )
    chosen = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    height, width = frames.shape[1:3]
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8)
    for place, frame in enumerate(chosen):
        row, column = divmod(place, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = frames[frame]
    return sheet


def unit_range(pictures: Tensor, like: Tensor) -> Tensor:
    """Pictures, uint8 or floating point in 0..1, as 0..1 in the type and on the device of `like`."""
    pixels = pictures.to(like.device, like.dtype)
    return pixels if pictures.is_floating_point() else pixels / 255.0
