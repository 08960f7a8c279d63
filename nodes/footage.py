"""Frames from either socket: an IMAGE in memory, or a VIDEO read frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import check_frames, without_alpha
from ..eadnet.media.reader import VideoReader
from . import host


@dataclass(frozen=True)
class Footage:
    """``count`` frames of ``size`` (height, width)."""

    count: int
    size: tuple[int, int]
    source: Tensor | VideoReader

    def some(self, numbers: Sequence[int]) -> Tensor:
        """Some of the frames, [n, H, W, C]: of an IMAGE as they are, of a VIDEO uint8."""
        if isinstance(self.source, VideoReader):
            return torch.from_numpy(np.stack([self.source.picture(number) for number in numbers]))
        return self.source[torch.as_tensor(numbers)]

    def one(self, number: int) -> np.ndarray:
        """One frame, uint8 [H, W, 3]; transparency is laid on grey."""
        if isinstance(self.source, VideoReader):
            return self.source.picture(number)
        pixels = without_alpha(self.source[number][None].float().clamp(0, 1))[0, ..., :3]
        return np.ascontiguousarray((pixels * 255).round().to(torch.uint8).cpu().numpy())


@contextmanager
def opened(images: Any) -> Iterator[Footage]:
    """The frames of an IMAGE or a VIDEO.

    Raises InputError for an invalid IMAGE, and for a video that cannot be read.
    """
    if isinstance(images, Tensor):
        check_frames(images)
        yield Footage(len(images), (images.shape[1], images.shape[2]), images)
        return
    if not hasattr(images, "get_stream_source"):
        raise InputError("The images input is empty: connect Load Video or Load Image.")
    with host.video_part(images) as part, VideoReader(part.path, part.start, part.seconds) as reader:
        yield Footage(reader.count, (reader.size[1], reader.size[0]), reader)
