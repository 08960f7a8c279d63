"""The one door for frames: an IMAGE, a VIDEO in memory, or a VIDEO read from its file frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.faces.crops import GREY, check_frames, without_alpha
from ..eadnet.media.reader import Pictures, VideoReader
from ..eadnet.media.sound import Sound, SoundFile
from ..eadnet.media.tensors import NO_NUMBERS, tensor_of
from ..eadnet.media.watched import WatchedPictures
from . import host
from .sockets import audio_of, image_of, mask_of

_FASTEST = 1000  # frames per second


@dataclass
class FramesInMemory:
    """An IMAGE [T, H, W, 1..4] as `Pictures`, on grey where it is transparent; ``alpha`` [T, H, W] may lie
    apart. The frames stay as they are: only one that is asked for is converted.
    """

    images: Tensor
    fps: Fraction
    alpha: Tensor | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        return int(self.images.shape[2]), int(self.images.shape[1])

    def some(self, numbers: Sequence[int]) -> Tensor:
        """[n, H, W, C], as they are unless transparency lies apart."""
        at = torch.as_tensor(numbers)
        frames = self.images[at]
        if self.alpha is None:
            return frames
        alpha = self.alpha[at].to(frames)[..., None]
        return frames[..., :3] * alpha + GREY * (1 - alpha)

    def picture(self, number: int) -> np.ndarray:
        pixels = without_alpha(self.some([number]).float().clamp(0, 1))[0, ..., :3]
        return np.ascontiguousarray((pixels * 255).round().to(torch.uint8).cpu().numpy())


@dataclass(frozen=True)
class Footage:
    """Frames and what belongs to them: the VIDEO's own ``sound``, if there is any, and an ``identity`` that
    changes with either.
    """

    pictures: Pictures
    sound: Sound | None
    identity: tuple[Any, ...]

    @property
    def count(self) -> int:
        return self.pictures.count

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        width, height = self.pictures.size
        return height, width

    def some(self, numbers: Sequence[int]) -> Tensor:
        """Some of the frames, [n, H, W, C]: of those in memory as they are, of a file uint8."""
        if isinstance(self.pictures, FramesInMemory):
            return self.pictures.some(numbers)
        return torch.from_numpy(np.stack([self.pictures.picture(number) for number in numbers]))

    def one(self, number: int) -> np.ndarray:
        """One frame, uint8 [H, W, 3]; transparency is laid on grey."""
        return self.pictures.picture(number)


@contextmanager
def opened(
    value: Any, name: str = "images", fps: float | Fraction = 25, *, sound: bool = False
) -> Iterator[Footage]:
    """The frames of an IMAGE (at ``fps``) or a VIDEO at the input ``name``, with its ``sound`` where wanted.

    Raises InputError, which names the input, for what is neither, and for a video that cannot be read.
    """
    if isinstance(value, (Tensor, np.ndarray, list, tuple)):
        value = image_of(value, name)
        yield Footage(FramesInMemory(value, Fraction(fps).limit_denominator(1001)), None, (value,))
        return
    if value is None:
        raise InputError(f"The {name} input is empty: connect Load Video or Load Image.")
    with host.opened_video(value, name) as video:
        if isinstance(video, host.VideoFrames):
            heard = video.audio if sound else None
            own = None if heard is None else audio_of(heard, f"the VIDEO at {name}").sound()
            known = None if own is None else (own.waveform, own.rate)
            yield Footage(_in_memory(video, name), own, (video.images, video.alpha, video.fps, known))
            return
        with VideoReader(video.path, video.start, video.seconds) as reader:
            track = SoundFile(video.path, video.start, video.seconds) if sound else None
            watched = WatchedPictures(reader, host.check_cancelled)
            yield Footage(watched, track, (video.identity, video.start, video.seconds))


def _in_memory(video: host.VideoFrames, name: str) -> FramesInMemory:
    """The frames of a VIDEO, checked."""
    try:
        images = tensor_of(video.images)
    except NO_NUMBERS as error:
        raise InputError(
            f"The VIDEO at {name} holds a {type(video.images).__name__} and no frames: save it and load the "
            "file."
        ) from error
    images = images[None] if images.ndim == 3 and images.shape[-1] <= 4 else images
    if images.ndim and len(images) == 0:
        raise InputError(f"The VIDEO at {name} has no frames: connect one that has.")
    images = images / 255 if images.dtype == torch.uint8 else images
    check_frames(images, f"VIDEO at {name}", host.check_cancelled)
    alpha = video.alpha
    if alpha is not None:
        alpha = mask_of(alpha, f"alpha of the VIDEO at {name}")
        if alpha.shape != images.shape[:3]:
            raise InputError(
                f"The VIDEO at {name} has frames {list(images.shape[:3])} and alpha masks "
                f"{list(alpha.shape)}: connect one whose transparency belongs to its frames."
            )
    return FramesInMemory(images, _rate(video.fps, name), alpha)


def _rate(value: Any, name: str) -> Fraction:
    """Frames per second of a VIDEO in memory: a fraction, or any other kind of number."""
    try:
        rate = Fraction(value if isinstance(value, (Fraction, str)) else float(value))
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _FASTEST:
        raise InputError(
            f"The VIDEO at {name} says {value} frames per second: it must be a number above 0, up to "
            f"{_FASTEST}."
        )
    return rate.limit_denominator(1001)
