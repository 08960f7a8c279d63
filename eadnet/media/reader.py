"""Frames of a video by their number, read when they are asked for: forwards, backwards, any length."""

from __future__ import annotations

import logging
import math
import os
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from .video import open_video, stream_fps, upright

log = logging.getLogger(__name__)

GREY = 128  # what shows through transparent pixels
_HELD_BYTES = 64 << 20  # decoded frames that are kept for reading backwards
_FORWARD = 300  # frames that are decoded and passed over before jumping is considered
# Containers round the time of a frame to a millisecond: how much too late it may seem.
_ROUNDING = Fraction(3, 2000)


class Pictures(Protocol):
    """A source of images, one for each frame of a clip at ``fps``."""

    fps: Fraction
    count: int
    size: tuple[int, int]  # width, height
    notes: list[str]  # what the user should know about them, each a plain sentence; grows while reading

    def picture(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        ...


class PicturesInMemory:
    """Frames that are there already: uint8 [T, H, W, 3], or floats in 0..1 that are rounded when read."""

    def __init__(self, frames: Any, fps: Fraction | float) -> None:
        self.frames = frames
        self.fps = Fraction(fps).limit_denominator(1001)
        self.count = len(frames)
        self.notes: list[str] = []
        self.size = (int(frames.shape[2]), int(frames.shape[1]))

    def picture(self, number: int) -> np.ndarray:
        frame = self.frames[number]
        if hasattr(frame, "numpy"):
            frame = frame.cpu().numpy()
        return frame if frame.dtype == np.uint8 else (frame.clip(0, 1) * 255).round().astype(np.uint8)


class VideoReader:
    """The frames of a video file at its own average rate, upright, on grey where they are transparent.

    A video of variable rate is shown as a player would show it: number i is what is on the screen at time
    i / fps. Frames that cannot be decoded are replaced by the one before. ``start`` and ``seconds`` make it a
    part of the file, by the file's own clock: frames from ``start`` on, up to ``seconds`` later (0: all).
    Two places of the file may be read by turns without going back and forth. Memory: a few dozen frames,
    however long the file. Close it, or use it in a ``with`` statement.
    Raises InputError for a missing or broken file, or one without a single frame, or none in the part.
    """

    def __init__(self, path: str | os.PathLike[str], start: float = 0.0, seconds: float = 0.0) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        self._times, self._keys, self.fps = _index(self.path)
        self._first, self._last = self._part(start, seconds)
        self.count = max(1, round(self._duration() * self.fps))
        self._cursors = [_Cursor(self.path, self._times, self._keys) for _ in range(2)]
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()
        self._most = 8
        self._warned = False
        first = self._frame(self._first)
        if first is None:
            self.close()
            raise InputError(f"{self.path.name} is damaged: no frame can be read, convert it again.")
        self.size = (first.shape[1], first.shape[0])
        self._most = max(4, min(64, _HELD_BYTES // first.nbytes))

    def picture(self, number: int) -> np.ndarray:
        """What is shown at time ``number`` / fps."""
        if not 0 <= number < self.count:
            raise IndexError(f"frame {number} of {self.count}")
        moment = self._times[self._first] + number / self.fps + _ROUNDING
        place = min(bisect_right(self._times, moment) - 1, self._last)
        frame = self._frame(max(self._first, place))
        assert frame is not None
        return frame

    @property
    def variable(self) -> bool:
        """Whether frames are shown for differently long (by more than a millisecond's rounding)."""
        shown = self._times[self._first : self._last + 1]
        gaps = {b - a for a, b in zip(shown, shown[1:], strict=False)}
        return bool(gaps) and max(gaps) - min(gaps) > 2 * _ROUNDING

    def close(self) -> None:
        for cursor in self._cursors:
            cursor.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _part(self, start: float, seconds: float) -> tuple[int, int]:
        """The first and the last frame of the file that belong to the part."""
        if not math.isfinite(start) or not math.isfinite(seconds):
            raise InputError(f"The part from {start:g} s on for {seconds:g} s is none: give finite numbers.")
        begin, end = Fraction(start), Fraction(start) + Fraction(seconds)
        first = bisect_left(self._times, begin - _ROUNDING) if start > 0 else 0
        last = bisect_left(self._times, end - _ROUNDING) if seconds > 0 else len(self._times)
        if first >= last:
            part = f"from {start:g} s on" + (f" for {seconds:g} s" if seconds > 0 else "")
            raise InputError(f"{self.path.name} has no frames {part}: choose another start or duration.")
        return first, last - 1

    def _duration(self) -> Fraction:
        """From the first frame to the end of the last, which lasts as long as frames do on average."""
        return self._times[self._last] - self._times[self._first] + 1 / self.fps

    def _frame(self, place: int) -> np.ndarray | None:
        """Frame number ``place`` of the file, or the last good one before it."""
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        cursor = self._cursor_for(place)
        while cursor.at < place:
            frame = cursor.advance()
            if frame is None:
                break
            if cursor.at > place - self._most:
                self._keep(cursor.at, _pixels(frame))
        if place not in self._held and (earlier := [number for number in self._held if number < place]):
            if not self._warned:
                log.warning("%s is damaged at frame %d: the one before is shown.", self.path.name, place)
                self._warned = True
            self._keep(place, self._held[max(earlier)])
        return self._held.get(place)

    def _cursor_for(self, place: int) -> _Cursor:
        """The cursor that has least to decode to get there; the one used longest ago where none is near."""
        near = [cursor for cursor in self._cursors if cursor.reaches(place)]
        if near:
            cursor = max(near, key=lambda cursor: cursor.at)
        else:
            backwards = any(cursor.at >= place for cursor in self._cursors)
            cursor = self._cursors[0]
            # Backwards, a stretch is decoded and kept.
            cursor.jump(max(0, place - self._most + 1) if backwards else place)
        self._cursors.remove(cursor)
        self._cursors.append(cursor)
        return cursor

    def _keep(self, place: int, pixels: np.ndarray) -> None:
        self._held[place] = pixels
        while len(self._held) > self._most:
            self._held.popitem(last=False)


class _Cursor:
    """A place in a video file from which it is decoded forwards; ``at`` is the number of the frame decoded
    last.
    """

    def __init__(self, path: Path, times: list[Fraction], keys: list[int]) -> None:
        self._path, self._times, self._keys = path, times, keys
        self._container: Any = None
        self._decoder: Iterator[Any] | None = None
        self.at = -1

    def reaches(self, place: int) -> bool:
        """Whether decoding on is the way to a frame."""
        return self._decoder is not None and self.at < place <= self.at + _FORWARD

    def jump(self, place: int) -> None:
        """Seek to the last key frame up to ``place``."""
        import av

        stream = self._opened()
        key = self._keys[bisect_right(self._keys, place) - 1] if self._keys else 0
        try:
            self._container.seek(int(self._times[key] / stream.time_base), stream=stream, backward=True)
        except av.FFmpegError:  # not every container can go back: open it again
            self.close()
            stream = self._opened()
            key = 0
        self._decoder = _decoded(self._container, stream)
        self.at = key - 1

    def advance(self) -> Any:
        """Decode one frame; None at the end of the file."""
        assert self._decoder is not None
        frame = next(self._decoder, None)
        if frame is None:
            self._decoder, self.at = None, len(self._times)
            return None
        self.at += 1
        if frame.pts is not None:
            self.at = max(0, bisect_right(self._times, frame.pts * frame.time_base) - 1)
        return frame

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = self._decoder = None

    def _opened(self) -> Any:
        """The video stream of the open file."""
        if self._container is None:
            self._container = open_video(self._path)
            self._container.streams.video[0].thread_type = "AUTO"
        return self._container.streams.video[0]


def _index(path: Path) -> tuple[list[Fraction], list[int], Fraction]:
    """(time of every frame in seconds, in order; numbers of the key frames; average frames per second).

    Reads the packets, not the images.
    """
    import av

    with open_video(path) as container:
        stream = container.streams.video[0]
        fps = stream_fps(stream)
        stamps: list[tuple[int, bool]] = []
        timed = True
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                timed &= packet.pts is not None
                stamps.append((packet.pts if packet.pts is not None else 0, packet.is_keyframe))
        except (av.FFmpegError, ValueError) as error:
            log.warning("%s breaks off after %d frames (%s).", path.name, len(stamps), error)
        base = Fraction(stream.time_base or Fraction(1, 90000))
    if not stamps:
        raise InputError(f"{path.name} has no frames: choose another video.")
    if not timed:
        return [Fraction(i) / fps for i in range(len(stamps))], [], fps
    stamps.sort()
    times = [stamp * base for stamp, _ in stamps]
    keys = [i for i, (_, key) in enumerate(stamps) if key]
    if len(times) > 2 and times[-1] > times[0]:
        measured = (len(times) - 1) / (times[-1] - times[0])
        if abs(measured / fps - 1) > Fraction(1, 100):  # the header's rate is not what the frames have
            fps = measured.limit_denominator(1001)
    return times, keys, fps


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames in the order they are shown; what is damaged is left out."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except av.InvalidDataError:
            continue
        except (av.FFmpegError, ValueError):
            return


def _pixels(frame: Any) -> np.ndarray:
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
        alpha = rgba[..., 3:]
        pixels = ((rgba[..., :3] * alpha + GREY * (255 - alpha) + 127) // 255).astype(np.uint8)
    else:
        pixels = frame.to_ndarray(format="rgb24")
    return upright(pixels, frame.rotation)
