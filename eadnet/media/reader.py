"""Frames of a video by their number, read when they are asked for: forwards, backwards, any length."""

from __future__ import annotations

import math
import os
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from ..printable import get_logger
from .display import GREY as GREY
from .display import Display
from .notes import add_note
from .streams import (
    FASTEST,
    Decoder,
    decoded,
    demuxed,
    first_good,
    is_broken,
    open_video,
    picture_stream,
    stream_fps,
    told_end,
)

log = get_logger(__name__)

_HELD_BYTES = 64 << 20  # decoded frames that are kept for reading backwards
_FORWARD = 300  # frames that are decoded and passed over before jumping is considered
# Containers round the time of a frame to a millisecond: how much too late it may seem.
ROUNDING = Fraction(3, 2000)
_EVEN = 0.8  # share of equal gaps from which on a video has one rate, and holes
_TRIES = 3  # key frames further back that decoding is tried from


class Pictures(Protocol):
    """A source of images, one for each frame of a clip at ``fps``."""

    fps: Fraction
    notes: list[str]  # what the user should know about them, each a plain sentence; grows while reading

    @property
    def count(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        ...

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
    """The frames of a video file at its own rate, as a player shows them (see `Display`).

    Number i is what is on the screen at time i / fps, whatever the file's stamps are: a video of variable
    rate, with holes, or cut between key frames begins with the first picture that can be shown and holds each
    until the next. Frames that cannot be decoded are replaced by the one before. ``start`` and ``seconds``
    make it a part of the file, by the file's own clock: frames from ``start`` on, up to ``seconds`` later
    (0: all). Two places of the file may be read by turns without going back and forth. Memory: a few dozen
    frames, however long the file. Close it, or use it in a ``with`` statement.

    fps      the rate most frames have; the average where they have none in common
    size     width, height
    notes    what the user should know, a plain sentence each; grows while reading
    origin   time of the first picture of the file by the file's clock, in seconds

    Raises InputError for a missing or broken file, or one without a single frame, or none in the part.
    """

    def __init__(self, path: str | os.PathLike[str], start: float = 0.0, seconds: float = 0.0) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        index = _index(self.path)
        self.fps, self._times = index.fps, index.times
        self._cursors = [_Cursor(self.path, index) for _ in range(2)]
        self._display: Display | None = None
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()
        self._most = 8
        self._warned = False
        self._patience = 4 * _TRIES
        try:
            begin = self._cursors[1].first_shown()
            if begin is None:
                raise InputError(f"{self.path.name} is damaged: no frame can be read, convert it again.")
            self._shown_from = begin
            self.origin = self._times[begin]
            missing = self.origin - self._times[0]
            if missing > 1 / self.fps:
                add_note(
                    self.notes,
                    f"{self.path.name} was cut between key frames: its first {float(missing):.2f} s cannot "
                    "be shown and are left out, of the sound too.",
                )
            self._first, self._last = self._part(start, seconds)
            self._end = index.end if self._last == len(self._times) - 1 else self._times[self._last + 1]
            self.count = max(1, round((self._end - self._times[self._first]) * self.fps))
            first = self._frame(self._first)
            assert first is not None
        except BaseException:
            self.close()
            raise
        self.size = (first.shape[1], first.shape[0])
        self._most = max(4, min(64, _HELD_BYTES // first.nbytes))

    def picture(self, number: int) -> np.ndarray:
        """What is shown at time ``number`` / fps."""
        if not 0 <= number < self.count:
            raise IndexError(f"frame {number} of {self.count}")
        moment = self._times[self._first] + number / self.fps + ROUNDING
        place = min(bisect_right(self._times, moment) - 1, self._last)
        frame = self._frame(max(self._first, place))
        assert frame is not None
        return frame

    @property
    def variable(self) -> bool:
        """Whether frames are shown for differently long (by more than a millisecond's rounding)."""
        shown = self._times[self._first : self._last + 1]
        gaps = {b - a for a, b in zip(shown, shown[1:], strict=False)}
        return bool(gaps) and max(gaps) - min(gaps) > 2 * ROUNDING

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
        first = bisect_left(self._times, begin - ROUNDING) if start > 0 else 0
        last = bisect_left(self._times, end - ROUNDING) if seconds > 0 else len(self._times)
        first = max(first, self._shown_from)
        if first >= last:
            part = f"from {start:g} s on" + (f" for {seconds:g} s" if seconds > 0 else "")
            raise InputError(f"{self.path.name} has no frames {part}: choose another start or duration.")
        return first, last - 1

    def _frame(self, place: int) -> np.ndarray | None:
        """Frame number ``place`` of the file, or the last good one before it."""
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        cursor = self._cursor_for(place)
        self._read_to(cursor, place)
        # After a jump to what only seems a key frame, pictures are missing that are there when the file is
        # read from further back. In a damaged file nothing helps, so it is not tried for ever.
        further = 0
        while place not in self._held and cursor.came_from > 0 and self._patience > 0:
            self._patience -= 1
            further += 1
            cursor.jump(place, further if further < _TRIES else None)
            self._read_to(cursor, place)
        if place not in self._held and self._held:
            earlier = [number for number in self._held if number < place] or [min(self._held)]
            if not self._warned:
                add_note(
                    self.notes,
                    f"{self.path.name} is damaged at frame {place - self._shown_from}: the one before is "
                    "shown there, and wherever a picture cannot be read.",
                )
                self._warned = True
            self._keep(place, self._held[max(earlier)])
        return self._held.get(place)

    def _read_to(self, cursor: _Cursor, place: int) -> None:
        """Decode up to a frame and keep what is near it, or the last one before it."""
        before: tuple[int, Any] | None = None
        while cursor.at < place:
            frame = cursor.advance()
            if frame is None:
                break
            if cursor.at in self._held:  # of two pictures of one time the first is shown
                continue
            if cursor.at > place - self._most:
                self._keep(cursor.at, self._pixels(frame, cursor))
            else:
                before = (cursor.at, frame)
        if before and not any(before[0] <= number <= place for number in self._held):
            self._keep(before[0], self._pixels(before[1], cursor))

    def _pixels(self, frame: Any, cursor: _Cursor) -> np.ndarray:
        if self._display is None:
            self._display = Display(self.path.name, *cursor.streams(), self.notes)
        return self._display.pixels(frame, cursor.streams()[1])

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


@dataclass(frozen=True)
class _Index:
    """What the packets of a video stream promise.

    times   of every frame in seconds, in order
    end     when the last frame ends
    fps     frames per second
    keys    numbers of the key frames; none where the file cannot be jumped in
    seeks   the stamp to seek each of them by
    passed  where frames are not found by the time they say, but counted: of each that is decoded its stamp
            (None where the file gives none) and its number, or -1 where it comes too late to be shown
    """

    times: list[Fraction]
    end: Fraction
    fps: Fraction
    keys: list[int]
    seeks: list[int]
    passed: list[tuple[int | None, int]] | None = None


@dataclass
class _Stretch:
    """Packets whose times go on from one to the next.

    stamps   of each: by which stamp to seek it if it is a key frame, and how long it lasts
    aside    what is added to the stamps, so that they go on after the stretch before
    floor    the last stamp before: what is not later comes too late
    """

    aside: int = 0
    floor: int | None = None
    stamps: dict[int, tuple[int | None, int]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.stamps) + self.aside


class _Cursor:
    """A place in a video file from which it is decoded forwards; ``at`` is the number of the frame decoded
    last, ``came_from`` that of the key frame it was sought at.
    """

    def __init__(self, path: Path, index: _Index) -> None:
        self._path, self._index = path, index
        self._times, self._keys = index.times, index.keys
        self._container: Any = None
        self._decoder: Decoder | None = None
        self._frames: Iterator[Any] | None = None
        self.at = -1
        self.came_from = 0
        self._passed = 0  # frames decoded since the beginning, where they are counted

    def reaches(self, place: int) -> bool:
        """Whether decoding on is the way to a frame."""
        return self._frames is not None and self.at < place <= self.at + _FORWARD

    def first_shown(self) -> int | None:
        """The number of the first frame that can be decoded; None where none can."""
        self.jump(0)
        places: dict[int, int] = {}

        def advanced() -> Iterator[Any]:
            while (frame := self.advance()) is not None:
                places[id(frame)] = self.at
                yield frame

        found = first_good(advanced())
        self._frames = None
        return None if found is None else places[id(found)]

    def jump(self, place: int, further_back: int | None = 0) -> None:
        """Seek to the last key frame up to ``place``, or one ``further_back`` (None: the beginning)."""
        import av

        stream = self._opened()
        number = bisect_right(self._keys, place) - 1 - (further_back or 0)
        if number < 1 or further_back is None:
            # Without a time: to the very first packet, which may lie before the first frame that is shown.
            self._reopen()
            stream = self._opened()
            self.came_from = 0
        else:
            self.came_from = self._keys[number]
            try:
                self._container.seek(self._index.seeks[number], stream=stream, backward=True)
            except av.FFmpegError:  # not every container can go back: open it again
                self._reopen()
                stream = self._opened()
                self.came_from = 0
        assert self._decoder is not None
        self._decoder.flush()
        self._frames = decoded(self._container, stream, self._decoder)
        self.at = self.came_from - 1
        self._passed = 0

    def advance(self) -> Any:
        """Decode one frame; None at the end of the file."""
        assert self._frames is not None
        while (frame := next(self._frames, None)) is not None:
            place = self._place(frame)
            if place is not None:
                self.at = place
                return frame
        self._frames, self.at = None, len(self._times)
        return None

    def _place(self, frame: Any) -> int | None:
        """The number of a frame that was decoded; None where it is not shown."""
        passed = self._index.passed
        if passed is not None:
            # Counted; what could not be decoded is missing, which its stamp tells.
            ahead = passed[self._passed : self._passed + _FORWARD]
            found = next((i for i, (stamp, _) in enumerate(ahead) if stamp in (None, frame.pts)), None)
            if found is None:
                return None
            self._passed += found + 1
            number = ahead[found][1]
            return number if number >= 0 else None
        if frame.pts is None:
            return self.at + 1
        time = frame.pts * frame.time_base
        if self.came_from > 0 and time < self._times[self.came_from] - ROUNDING:
            return None  # shown before the key frame: it refers to pictures that were not decoded
        return max(0, bisect_right(self._times, time) - 1)

    def streams(self) -> tuple[Any, Decoder]:
        """The video stream and its decoder."""
        assert self._decoder is not None
        return picture_stream(self._container), self._decoder

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = self._frames = self._decoder = None

    def _reopen(self) -> None:
        if self._frames is not None or self.at >= 0:
            self.close()

    def _opened(self) -> Any:
        """The video stream of the open file."""
        if self._container is None:
            self._container = open_video(self._path)
            self._decoder = Decoder(picture_stream(self._container))
        return picture_stream(self._container)


def _index(path: Path) -> _Index:
    """Reads the packets, not the images."""
    import av

    with open_video(path) as container:
        stream = picture_stream(container)
        base = Fraction(stream.time_base or Fraction(1, 90000))
        # Streams without an index are searched by the time of decoding, and not for key frames.
        by_decoding = container.format.name.startswith("mpeg")
        count, timed = 0, True
        ends, told = told_end(container), stream_fps(stream)
        in_order = True  # the stamps, as the packets are
        stretches = [_Stretch()]
        before: int | None = None
        try:
            for packet in demuxed(container, stream):
                if packet.size == 0 or packet.is_discard or _is_hidden(stream, packet):
                    continue
                count += 1
                if packet.pts is None:
                    timed = False
                    continue
                clock = packet.dts  # Matroska gives none to the first ones
                jump = 0.0 if None in (clock, before) else float((clock - before) * base)
                now = stretches[-1]
                if is_broken(jump, float(packet.pts * base) > ends):
                    now = _Stretch(now.last + round(1 / told / base) - packet.pts)
                    stretches.append(now)
                elif jump < -float(ROUNDING):
                    now = _Stretch(now.aside, now.last)
                    stretches.append(now)
                before = before if clock is None else clock
                at = packet.pts if clock is None or not by_decoding else clock
                seek = at if packet.is_keyframe else None
                in_order = in_order and (not now.stamps or packet.pts > next(reversed(now.stamps)))
                now.stamps[packet.pts] = (seek, packet.duration or 0)
        except (av.FFmpegError, ValueError) as error:
            log.warning("%s breaks off after %d frames (%s).", path.name, count, error)
        length = container.duration
        # AVI knows when a picture is decoded, not when it is shown: where the two differ, the times are right
        # and belong to the pictures in the order in which they come out.
        counted = in_order and container.format.name == "avi" and stream.codec_context.has_b_frames
    if not count:
        raise InputError(f"{path.name} has no frames: choose another video.")
    if not timed:
        even = [Fraction(i) / told for i in range(count)]
        return _Index(even, Fraction(count) / told, told, [], [], [(None, i) for i in range(count)])
    times: list[Fraction] = []
    keys: list[int] = []
    seeks: list[int] = []
    passed: list[tuple[int | None, int]] = []
    durations: list[Fraction] = []
    for stretch in stretches:
        for stamp in sorted(stretch.stamps):
            late = stretch.floor is not None and stamp + stretch.aside <= stretch.floor
            passed.append((stamp, -1 if late else len(times)))
            if late:
                continue
            seek, duration = stretch.stamps[stamp]
            if seek is not None:
                keys.append(len(times))
                seeks.append(seek)
            times.append((stamp + stretch.aside) * base)
            durations.append(duration * base)
    if counted:
        passed = [(None, number) for number in range(len(times))]
    fps = usual_rate(times, told)
    # How long the last picture stays is not told by every container, and some tell nonsense.
    whole = Fraction(length, 1_000_000) if length else Fraction(0)
    lasts = durations[-1]
    true = len(times) < 2 or abs(durations[-2] - (times[-1] - times[-2])) <= 2 * ROUNDING
    if not true or not 0 < lasts <= max(2 / fps, whole - (times[-1] - times[0]) + ROUNDING):
        lasts = 1 / fps
    if len(stretches) == 1 and not counted:
        return _Index(times, times[-1] + lasts, fps, keys, seeks)
    # A time says no longer where in the file a frame is: it is read in order.
    return _Index(times, times[-1] + lasts, fps, [], [], passed)


def _is_hidden(stream: Any, packet: Any) -> bool:
    """Whether a packet only helps to decode others: VP8 says so in its first byte."""
    return stream.codec_context.name == "vp8" and not (bytes(packet)[0] >> 4) & 1


def usual_rate(times: list[Fraction], told: Fraction) -> Fraction:
    """Frames per second: that of most frames; the average where they have none in common.

    What the file tells is believed where the frames agree within a percent, as times are rounded.
    """
    if len(times) < 3 or times[-1] <= times[0]:
        return told
    gaps = np.diff(np.array([float(time) for time in times]))
    usual = float(np.median(gaps))
    alike = gaps[np.abs(gaps - usual) <= 2 * float(ROUNDING)]
    gap = float(alike.mean()) if len(alike) >= _EVEN * len(gaps) else float(gaps.mean())
    measured = 1 / gap
    if abs(measured / float(told) - 1) <= 0.01:
        return told
    return max(Fraction(1, 1001), min(Fraction(FASTEST), Fraction(measured).limit_denominator(1001)))
