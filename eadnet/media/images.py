"""Still pictures: reading any common file, writing PNG, contact sheets."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..paths import is_file
from ..printable import get_logger

if TYPE_CHECKING:
    from PIL import Image

log = get_logger(__name__)

# What Pillow's readers raise for damaged files, which trip over their own fields.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error)

# Pictures [H, W, C] turned upright, by the value of EXIF's Orientation.
_ORIENTATION = 0x0112
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
    """A picture file as sRGB, [H, W, C] float32 in [0, 1], C = 3, or 4 when it has transparency.

    The camera's rotation and mirroring (EXIF) is applied, and the colour profile, or else the gamma of a PNG;
    palettes, grey, 16 bit and CMYK are converted; of an animation the first frame is taken. Raises InputError
    for a missing, broken or absurdly large file.
    """
    from PIL import Image

    path = Path(path)
    if not is_file(path):
        raise InputError(f"There is no image {path}: check the path.")
    try:
        with Image.open(path) as image:
            image.load()
            turn = image.getexif().get(_ORIENTATION)
            pixels = srgb_pixels(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path.name} has too many pixels: scale it down first.") from error
    except DAMAGED as error:
        raise InputError(f"{path.name} cannot be read as an image: save it as PNG or JPEG again.") from error
    upright = _UPRIGHT.get(turn, np.asarray)(pixels)
    return torch.from_numpy(np.ascontiguousarray(upright))


def srgb_pixels(image: Image.Image) -> np.ndarray:
    """The picture that an open image shows now, as sRGB: float32 [H, W, 3 or 4] in [0, 1]."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":  # 16 or 32 bit grey: as RGB it would be clipped
        grey = np.asarray(image, dtype=np.float32)
        grey = grey / (1.0 if mode == "F" and grey.max() <= 1 else 65535.0)
        return _from_gamma(np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=2), image.info)
    transparent = mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    # A profile is made for the kind of pixels that are in the file; of palettes, for their colours.
    plain = {"LA": "L", "La": "L", "RGBA": "RGB", "RGBa": "RGB", "P": "RGB", "PA": "RGB", "1": "L"}
    opaque = image.convert(plain[mode]) if mode in plain else image
    profiled = _by_profile(opaque, image.info.get("icc_profile"))
    rgb = np.asarray(opaque.convert("RGB") if profiled is None else profiled, dtype=np.float32) / 255
    if profiled is None:
        rgb = _from_gamma(rgb, image.info)
    if alpha is None:
        return rgb
    return np.concatenate([rgb, np.asarray(alpha, dtype=np.float32)[..., None] / 255], axis=2)


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """An image of RGB, grey, CMYK or LAB as sRGB, by the profile embedded in its file; None where there is
    none, or one that says nothing: sRGB already, or damaged, which others pass over, too.
    """
    if not profile and image.mode != "LAB":
        return None
    try:
        from PIL import ImageCms
    except ImportError:  # a Pillow built without colour management
        return None
    try:
        source: Any = ImageCms.getOpenProfile(io.BytesIO(profile)) if profile else None
        if source is None:
            source = ImageCms.createProfile("LAB")
        else:
            name = ImageCms.getProfileDescription(source).lower()
            if "srgb" in name and "linear" not in name and image.mode == "RGB":
                return None
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        log.warning("The colour profile of an image is damaged and was passed over (%s).", error)
        return None


def _from_gamma(rgb: np.ndarray, about: Mapping[Any, Any]) -> np.ndarray:
    """Pixels whose PNG states a gamma other than what screens have (1/2.2, as sRGB), as sRGB."""
    gamma = about.get("gamma")
    if not isinstance(gamma, float) or "srgb" in about:
        return rgb
    if not 0.1 < gamma < 2 or abs(gamma - 1 / 2.2) < 0.02:
        return rgb
    light = rgb ** (1 / gamma)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


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
