"""A track drawn over its frames, to see whether the right face was tracked and how well."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .affine import invert
from .face_track import FaceTrack

_FOUND, _ESTIMATED, _MISSING = (64, 220, 130), (255, 186, 60), (235, 80, 80)
_CROP, _PANEL, _TEXT = (110, 190, 255), (24, 26, 30), (235, 238, 242)
_POINTS = ((255, 120, 120), (120, 170, 255), (255, 235, 110), (255, 150, 220), (170, 140, 255))


def strip_height(height: int) -> int:
    """Rows of the strip below a frame of this height."""
    return max(18, round(height * 0.055))


def draw_track(frame: np.ndarray, track: FaceTrack, index: int) -> np.ndarray:
    """Frame uint8 [H, W, 3] with the face's box, points and crop, above a strip with the whole clip.

    Green: found; amber: lost for a moment, its place is an estimate; red: no face, the frame stays as it is.

    Returns:
        uint8 [H + strip_height(H), W, 3].
    """
    from PIL import Image, ImageDraw

    height, width = frame.shape[:2]
    strip = strip_height(height)
    picture = Image.new("RGB", (width, height + strip), _PANEL)
    picture.paste(Image.fromarray(frame), (0, 0))
    draw = ImageDraw.Draw(picture)
    line = max(1, round(min(height, width) / 240))
    if bool(track.valid[index]):
        colour = _FOUND if bool(track.found[index]) else _ESTIMATED
        corners = _crop_corners(track.matrices[index], track.resolution)
        draw.line([*corners, corners[0]], fill=_CROP, width=line)
        draw.rectangle(track.boxes[index].tolist(), outline=colour, width=line)
        radius = 1.4 * line
        for (x, y), fill in zip(track.points[index].tolist(), _POINTS, strict=True):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=(0, 0, 0))
    picture.paste(Image.fromarray(_timeline(track, index, width, strip)), (0, height))
    words = _words(track, index)
    size = max(9, round(strip * 0.55))
    draw.text((6, 4), words, fill=_TEXT, font_size=size, stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def _words(track: FaceTrack, index: int) -> str:
    if not bool(track.valid[index]):
        return f"{index}  no face"
    if not bool(track.found[index]):
        return f"{index}  estimated"
    return f"{index}  {float(track.scores[index]):.2f}"


def _crop_corners(matrix: Tensor, resolution: int) -> list[tuple[float, float]]:
    edge = resolution - 0.5
    square = torch.tensor([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]], dtype=torch.float64)
    back = invert(matrix.double())
    return [(x, y) for x, y in (square @ back[:, :2].T + back[:, 2]).tolist()]


def _timeline(track: FaceTrack, index: int, width: int, height: int) -> np.ndarray:
    """Every column is a frame: its colour says what was found, its height how sure the detector was."""
    at = np.linspace(0, len(track) - 1, width).round().astype(int)
    valid, found = track.valid.numpy()[at], track.found.numpy()[at]
    colours = np.where(found[:, None], _FOUND, np.where(valid[:, None], _ESTIMATED, _MISSING))
    level = np.where(found, track.scores.numpy()[at], np.where(valid, 0.5, 0.25))
    rows = (height - np.arange(height))[:, None] / height
    strip = np.where((rows <= 0.85 * level)[..., None], colours * 0.8, np.array(_PANEL))
    now = round(index / max(1, len(track) - 1) * (width - 1))
    strip[:, max(0, now - 1) : now + 2] = _TEXT
    return strip.astype(np.uint8)
