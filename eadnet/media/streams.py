"""Media files opened: which of their streams is the picture and which the sound, and how it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..paths import is_file
from .colour import TAGS
from .limits import check_picture_size
from .opening import open_media

_DEFAULT_FPS = Fraction(25)
FASTEST = 480  # frames per second: more is a clock, not a rate
# Seconds. Longer overlaps are stamps that begin anew; longer holes must lie within what the file says it
# lasts; and none is longer than the last.
_OVERLAP, _HOLE, _NO_HOLE = 1.0, 60.0, 3600.0
_MANY = 250  # frames
# The decoders that FFmpeg prefers leave the transparency of these out.
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def open_video(path: Path) -> Any:
    """An open container with a video stream; InputError where there is none."""
    import av

    if not is_file(path):
        raise InputError(f"There is no video {path}: check the path.")
    try:
        container = open_media(path)
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read as a video: convert it to MP4 first.") from error
    picture = picture_stream(container)
    if picture is None:
        there = list(container.streams.video)
        covered = bool(there) and all(_is_cover(stream) for stream in there)
        container.close()
        if covered:
            raise InputError(f"{path.name} has a cover picture and no video: choose a video with frames.")
        if there:
            raise InputError(
                f"{path.name} has a video that cannot be decoded: it is cut off, or FFmpeg has no decoder "
                "for it. Choose another video, or convert it to H.264 first."
            )
        raise InputError(f"{path.name} has no video stream: choose a video with frames.")
    try:
        if picture.width and picture.height:  # some are known only when a frame is decoded
            check_picture_size((picture.width, picture.height), path.name)
    except InputError:
        container.close()
        raise
    return container


def picture_stream(container: Any) -> Any:
    """The video stream a player shows: the default one of those that can be decoded, never the cover of a
    recording; None where there is none.
    """
    return _preferred([stream for stream in container.streams.video if not _is_cover(stream)])


def sound_stream(container: Any) -> Any:
    """The audio stream a player plays: the default one of those that can be decoded; None where none is."""
    return _preferred(list(container.streams.audio))


def _preferred(streams: list[Any]) -> Any:
    import av

    # Of some streams (spatial sound of phones) FFmpeg has no decoder: decoding them would crash.
    usable = [stream for stream in streams if stream.codec_context is not None]
    default = av.stream.Disposition.default
    return next((s for s in usable if s.disposition & default), usable[0] if usable else None)


def _is_cover(stream: Any) -> bool:
    import av

    kind = av.stream.Disposition
    still = kind.attached_pic | kind.timed_thumbnails
    return bool(stream.disposition & still)


def stream_fps(stream: Any) -> Fraction:
    """Frames per second as the file tells them, on average; 25 where that is nothing a video has."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST:
            return Fraction(rate)
    return _DEFAULT_FPS


def is_broken(jump: float, beyond_end: bool) -> bool:
    """Whether stamps that jump by so many seconds are broken, or begin anew, rather than tell of a hole: more
    than a second back; or far forward, and ``beyond_end`` of what the file says it lasts.
    """
    return jump < -_OVERLAP or jump > _NO_HOLE or (jump > _HOLE and beyond_end)


class Decoder:
    """Decodes the packets of a video stream, with transparency where the stream has any."""

    def __init__(self, stream: Any) -> None:
        import av

        self.codec = stream.codec_context
        # What the container says of the colours: decoders put what the pictures say in its place.
        self.told = {tag: int(getattr(self.codec, tag) or 0) for tag in TAGS}
        name = _WITH_ALPHA.get(self.codec.name)
        self._own = self.alpha_is_lost = False
        if name and str(stream.metadata.get("alpha_mode", "0")).strip() not in ("", "0"):
            try:
                self.codec = av.CodecContext.create(name, "r")
                self._own = True
            except (ValueError, av.FFmpegError):  # this FFmpeg has no such decoder
                self.codec, self.alpha_is_lost = stream.codec_context, True
        self.codec.thread_type = "AUTO"
        self._stream = stream

    def decode(self, packet: Any) -> list[Any]:
        """Frames that are ready; their ``pts`` are in the stream's time base."""
        frames = self.codec.decode(packet if packet.size else None) if self._own else packet.decode()
        for frame in frames:
            if frame.time_base is None or self._own:
                frame.time_base = self._stream.time_base
        return list(frames)

    def flush(self) -> None:
        """Forget what came before: the next packet is from another place."""
        if self._own:
            self.codec.flush_buffers()


def demuxed(container: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream, and an empty one at the end. Raises PyAV's errors for what cannot be read."""
    while True:
        try:
            yield from container.demux(stream)
            return
        except IndexError:
            # A packet of a stream that began after the file was opened, which PyAV does not know.
            continue


def decoded(container: Any, stream: Any, decoder: Decoder) -> Iterator[Any]:
    """Frames in the order they are shown; what is damaged is left out."""
    import av

    packets = demuxed(container, stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = decoder.decode(packet)
        except av.InvalidDataError:
            continue
        except (av.FFmpegError, ValueError):
            return
        yield from frames


def first_good(frames: Iterator[Any]) -> Any:
    """The first frame that is whole; where none of many is, the first; None where there is none."""
    first = None
    for number, frame in enumerate(frames):
        if not frame.is_corrupt:
            return frame
        first = first or frame
        if number > _MANY:
            break
    return first


def told_end(container: Any) -> float:
    """When a file ends by its header, in seconds of its clock; 0 where it does not say."""
    if container.duration is None:
        return 0.0
    return float((container.duration + max(0, container.start_time or 0)) / 1_000_000)


def first_picture_time(container: Any) -> Fraction | None:
    """When the first picture that can be decoded is shown, by the file's clock; None without a video.

    A file that was cut between key frames begins with pictures that nothing can show.
    """
    stream = picture_stream(container)
    if stream is None or stream.codec_context is None:
        return None
    frame = first_good(decoded(container, stream, Decoder(stream)))
    if frame is not None and frame.pts is not None:
        return Fraction(frame.pts * frame.time_base)
    if stream.start_time is None or stream.time_base is None:
        return None
    return Fraction(stream.start_time * stream.time_base)
