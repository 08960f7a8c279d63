"""Clips that are read in chunks, so that a metric never has more than a chunk of frames in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .reader import Pictures

MOST = 32  # frames of a piece
_VALUES = 1 << 24  # numbers of a piece: 64 MB as float32


class Frames(Protocol):
    """A clip [T, 3, H, W], uint8 or 0..1: a tensor, or whatever gives slices of one."""

    @property
    def shape(self) -> Sequence[int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> Tensor: ...


class LazyFrames:
    """A clip whose frames are made when they are asked for; the piece read last is kept.

    Args:
        shape: [T, 3, H, W].
        read: from some frame numbers to [n, 3, H, W].
    """

    def __init__(self, shape: Sequence[int], read: Callable[[Sequence[int]], Tensor]) -> None:
        self.shape = tuple(shape)
        self._read = read
        self._at = range(0)
        self._piece = torch.empty(0, *self.shape[1:], dtype=torch.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Tensor:
        wanted = range(self.shape[0])[part]
        # Windows overlap: what the last piece held is not read again.
        held = [number for number in wanted if number in self._at]
        if len(wanted) == 0 or list(wanted[: len(held)]) != held or wanted.step != 1:
            held = []
        kept = self._piece[held[0] - self._at.start :][: len(held)] if held else None
        fresh = wanted[len(held) :]
        if kept is None:
            piece = self._read(wanted) if len(wanted) else self._piece[:0]
        else:
            piece = torch.cat([kept, self._read(fresh)]) if len(fresh) else kept
        if wanted.step == 1 and len(wanted):
            self._at, self._piece = wanted, piece
        return piece


def video_frames(pictures: Pictures) -> LazyFrames:
    """The frames of a video, uint8."""
    width, height = pictures.size
    return LazyFrames(
        (pictures.count, 3, height, width),
        lambda numbers: torch.from_numpy(np.stack([pictures.picture(n) for n in numbers])).movedim(-1, 1),
    )


def picked(frames: Frames, numbers: Sequence[int]) -> LazyFrames:
    """Some frames of a clip in the order of ``numbers``; not empty."""
    return LazyFrames(
        (len(numbers), *frames.shape[1:]),
        lambda places: torch.cat([frames[numbers[p] : numbers[p] + 1] for p in places]),
    )


def changed(frames: Frames, change: Callable[[Tensor], Tensor]) -> LazyFrames:
    """A clip after ``change``, which takes frames [n, 3, H, W] one by one."""
    count = frames.shape[0]
    shape = (count, *change(frames[:1]).shape[1:])
    return LazyFrames(shape, lambda places: change(frames[places[0] : places[-1] + 1]))


def piece_size(frames: Frames) -> int:
    """How many frames are worked on together: fewer where they are large."""
    return max(1, min(MOST, _VALUES // max(1, math.prod(frames.shape[1:]))))


def pieces(frames: Frames, size: int | None = None, overlap: int = 0) -> Iterator[Tensor]:
    """A clip in pieces of ``size`` frames; each but the first begins with ``overlap`` frames seen before."""
    size = size or piece_size(frames)
    for start in range(0, max(1, frames.shape[0] - overlap), size):
        yield frames[start : start + size + overlap]
