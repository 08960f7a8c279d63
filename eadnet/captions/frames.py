"""Which frames of a clip a captioner looks at, and how large."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..media.video import read_frames

SIDE = 448
"""Longest side, in pixels, of what language models are shown: enough for a face, and small to send."""


def spread(count: int, wanted: int) -> list[int]:
    """``wanted`` moments (or all, if fewer) spread evenly over ``count`` frames, the middle of each part.

    Raises InputError for an empty clip or fewer than one wanted.
    """
    if count < 1:
        raise InputError("There are no frames to describe: connect an image or the frames of a video.")
    if wanted < 1:
        raise InputError(f"The number of frames to analyse is {wanted}: use 1 or more.")
    wanted = min(wanted, count)
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def shrink(frame: np.ndarray, side: int = SIDE) -> np.ndarray:
    """uint8 [H, W, 3] so that no side is longer than ``side``; smaller images stay as they are."""
    from PIL import Image

    height, width = frame.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def from_video(path: str | os.PathLike[str], wanted: int) -> list[np.ndarray]:
    """Frames uint8 [H, W, 3] spread over a video, each shrunk, in two passes so that memory stays flat.

    Raises InputError for an unreadable file.
    """
    count = sum(1 for _ in read_frames(path))
    chosen = set(spread(count, wanted))
    return [shrink(frame) for i, frame in enumerate(read_frames(path)) if i in chosen]


def jpeg(frame: np.ndarray, side: int = SIDE, quality: int = 85) -> bytes:
    """A frame as a small JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(shrink(frame, side)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def check_frames(frames: Sequence[np.ndarray]) -> None:
    """Raise InputError unless there is a frame and all are uint8 [H, W, 3]."""
    if len(frames) == 0:
        raise InputError("There are no frames to describe: connect an image or the frames of a video.")
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise InputError(f"A frame has the shape {list(frame.shape)}: RGB frames [H, W, 3] are needed.")
