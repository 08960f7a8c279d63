"""A video that is written while it is made, can be watched at any time, and can be continued after a crash.

Frames are encoded in groups that are independent of each other, each by an encoder of its own, and go with
their sound into one fragment of an MP4 file. So whatever ends the program, the fragments that are on the disk
play, and a video that was continued consists of the same groups as one made in one go.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .colour import ToFilm, declare_film
from .opening import open_media
from .places import Named, Place, move_to
from .sound import PACKED, Sound, packed, unpacked
from .video import AAC_RATES, even_sized, repeatable

GROUP = 48  # frames
_AAC_FRAME = 1024
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_BITS_PER_CHANNEL = 128_000
# Of the finished file, which is of no use before it is whole: many packets with one write.
_ORDINARY = {"movflags": "+faststart", "flush_packets": "0"}


def most_waiting(width: int, height: int) -> int:
    """How many finished frames may wait to be encoded: those that come out of TFRM together, in at most
    256 MB.
    """
    return max(8, min(64, (256 << 20) // (width * height * 3)))


def partial_path(path: Path) -> Path:
    """Where the unfinished video lies: beside the finished one."""
    return path.with_name(f"{path.stem}.partial.mp4")


def _previous_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.previous.mp4")


def _whole_path(path: Path) -> Path:
    """Where the finished video is written before it gets its name."""
    return path.with_name(f"{path.stem}.whole.mp4")


def writer_identity(quality: int) -> tuple[Any, ...]:
    """What decides how frames are written beside themselves: only a video of the same is continued."""
    import av

    return ("h264 aac mp4", 1, quality, GROUP, _BITS_PER_CHANNEL, av.__version__, av.library_versions)


class ResumableVideo:
    """Writes frames uint8 [H, W, 3] with audio as MP4 (H.264, AAC).

    Until `finish`, the video is in `partial_path`; then it appears whole at ``path``, or elsewhere. `close`
    leaves the partial video where it is. Who removes it meanwhile, or its folder, does no harm: it is read
    from the open file. ``frames`` is how many frames the partial video held already, a multiple of `GROUP`:
    the next frame to write is that one. The audio keeps its rate where AAC has it, and up to eight
    channels; it ends with the recording or, where ``seconds`` is given, there (cut, or followed by silence).
    Raises InputError when the place cannot be written or is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: Fraction,
        sound: Sound | None = None,
        seconds: float | None = None,
        quality: int = 16,
        resume: bool = False,
    ) -> None:
        self.path = Path(path)
        self.fps, self.quality = fps, quality
        self._sound_source, self._seconds = sound, seconds
        self._codec: Any = None  # of the group that is being written
        self._packets: list[Any] = []
        self._pending = 0  # frames in it
        self._given_up = False
        self._container: Any = None
        self._to_film = ToFilm()
        self._file: _Storage | None = None  # ours, so that no failure of the container leaves it open
        self._size: tuple[int, int] | None = None
        self.frames = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
            if resume:
                self._continue()
            else:
                discard_partial(self.path)
        except OSError as error:
            self.close()
            raise InputError(
                f"The video {self.path} cannot be written ({error}): choose another place."
            ) from error
        except BaseException:
            self.close()
            raise

    def write(self, pixels: np.ndarray) -> None:
        """Add one frame."""
        import av

        pixels = even_sized(pixels)
        size, number = (pixels.shape[1], pixels.shape[0]), self.frames + self._pending
        if self._size is None:
            self._open(size)
        if size != self._size:
            assert self._size is not None
            raise InputError(
                f"Frame {number} is {size[0]} x {size[1]} pixels and the video {self._size[0]} x "
                f"{self._size[1]}: use frames of one size."
            )
        if self._codec is None:
            self._codec = av.CodecContext.create("libx264", "w")
            self._configure(self._codec, size)
        frame = self._to_film(pixels)
        frame.pts, frame.time_base = number, 1 / self.fps
        self._packets += self._codec.encode(frame)
        self._pending += 1
        if self._pending == GROUP:
            self._write_group()

    def finish(self, place: Place | None = None, on_frame: Callable[[int], None] | None = None) -> int:
        """Write what is left, move the whole video to its place (by default ``path``, which then is where it
        lies), and return the number of frames. ``on_frame`` hears how many are in their place; what it raises
        leaves the partial video as it is.
        """
        if self._pending:
            self._write_group()
        if self.frames == 0:
            self.close()
            discard_partial(self.path)
            raise InputError("There are no frames to write: the clip is empty.")
        self._guarded(self._sound.finish)
        self._guarded(self._close_container)
        self._guarded(lambda: self._deliver(place or Named(self.path), on_frame))
        return self.frames

    def give_up(self) -> None:
        """From another thread: end the group that is being written, or the finish, as soon as may be. After
        that there is nothing left to do but `close`.
        """
        self._given_up = True

    def close(self) -> None:
        """Stop writing. What was written stays, and plays."""
        try:
            self._close_container()
        finally:
            if self._file is not None:
                self._file.close()

    def _close_container(self) -> None:
        import av

        container, self._container = self._container, None
        if container is not None:
            try:
                container.close()
            except (OSError, av.FFmpegError):  # the disk is full: the fragments before are whole
                pass

    def _deliver(self, place: Place, on_frame: Callable[[int], None] | None) -> None:
        assert self._file is not None
        if self._file.failed:  # by the end of the container
            raise self._file.failed
        try:
            delivered = self._delivered(place, on_frame)
        except FileNotFoundError:  # somebody has removed the folder in this moment: not twice
            delivered = self._delivered(place, on_frame)
        self.close()  # before its file is removed, as Windows wants it
        discard_partial(self.path)
        self.path = delivered

    def _delivered(self, place: Place, on_frame: Callable[[int], None] | None) -> Path:
        def heard(count: int) -> None:
            if self._given_up:
                raise RuntimeError("given up")
            if on_frame is not None:
                on_frame(count)

        assert self._file is not None
        whole = _whole_path(self.path)
        whole.parent.mkdir(parents=True, exist_ok=True)
        try:
            if (count := _rewrap(self._file, whole, heard)) != self.frames:
                raise InputError(
                    f"The unfinished video has {count} of {self.frames} frames: somebody has changed "
                    f"{partial_path(self.path)}; render it again."
                )
            return move_to(place, whole)
        except BaseException:
            whole.unlink(missing_ok=True)
            raise

    def _open(self, size: tuple[int, int]) -> None:
        import av

        def open_container() -> None:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have removed it
            self._file = _Storage(partial_path(self.path), "w+b")
            self._container = av.open(
                self._file,
                "w",
                format="mp4",
                options={"movflags": "+frag_keyframe+delay_moov+default_base_moof", "flush_packets": "1"},
            )
            self._picture = self._container.add_stream("libx264", rate=self.fps)
            self._configure(self._picture.codec_context, size)
            self._sound = _AudioTrack(self._container, self._sound_source, self._seconds)

        self._guarded(open_container)
        self._size = size

    def _configure(self, codec: Any, size: tuple[int, int]) -> None:
        """The same for every group: without frames that refer forwards, across a group's end."""
        codec.width, codec.height = size
        declare_film(codec)
        codec.time_base, codec.framerate = 1 / self.fps, self.fps
        codec.options = {
            "crf": str(self.quality),
            "preset": "medium",
            "bf": "0",
            "g": str(GROUP),
            "sc_threshold": "0",
            # The number of threads changes x264's decisions: not to depend on the machine, it is fixed.
            "threads": "4",
            **repeatable(size),
        }
        codec.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER

    def _write_group(self) -> None:
        packets = self._packets
        for packet in self._codec.encode_lazy(None):
            packets.append(packet)
            if self._given_up:
                return

        def mux() -> None:
            for packet in packets:
                packet.stream = self._picture
                self._container.mux_one(packet)
            self._sound.write_until(float((self.frames + self._pending) / self.fps))

        self._guarded(mux)
        self.frames += self._pending
        self._codec, self._packets, self._pending = None, [], 0

    def _guarded(self, action: Any) -> None:
        """Do what writes; a disk that is full is one sentence. After a failure nothing is open."""
        try:
            action()
        except BaseException as error:
            self.close()
            failed = error if isinstance(error, OSError) else self._file and self._file.failed
            if not failed or not isinstance(error, Exception):
                raise
            raise InputError(
                f"The video cannot be written on ({failed.strerror or failed}): make room in "
                f"{self.path.parent}; the finished part can be played: {partial_path(self.path).name}."
            ) from error

    def _continue(self) -> None:
        """Take over the whole groups of a partial video."""
        partial, previous = partial_path(self.path), _previous_path(self.path)
        if count_groups(previous) < count_groups(partial) or not previous.is_file():
            if not partial.is_file():
                return
            os.replace(partial, previous)
        frames = count_groups(previous) * GROUP
        if frames:
            with open_media(previous) as source:
                stream = source.streams.video[0]
                self._open((stream.width, stream.height))
                for number, packet in enumerate(_packets(source, stream)):
                    if number == frames:
                        break
                    self._container.mux_one(_copied(packet, self._picture, _start_codes(bytes(packet))))
                    if number % GROUP == GROUP - 1:
                        self._sound.write_until(float((number + 1) / self.fps))
            self.frames = frames
        previous.unlink()


def count_groups(path: Path) -> int:
    """How many whole groups of frames a partial video holds; 0 where there is none."""
    import av

    if not path.is_file():
        return 0
    try:
        with open_media(path) as source:
            return sum(1 for _ in _packets(source, source.streams.video[0])) // GROUP
    except (av.FFmpegError, ValueError, IndexError):
        return 0


def discard_partial(path: Path) -> None:
    """Remove what an earlier attempt left."""
    for rest in (partial_path(path), _previous_path(path), _whole_path(path)):
        rest.unlink(missing_ok=True)


class _Storage(io.FileIO):
    """A file whose every write goes to the system at once and whole: what is written outlives the program.
    ``failed`` is why it could not be written: of what fails in a file of ours, FFmpeg says only that it did.
    """

    failed: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[super().write(view) :]
        except OSError as error:
            self.failed = error
            raise
        except BaseException as error:  # PyAV would swallow it, and the write with it
            self.failed = OSError("interrupted")
            raise self.failed from error
        return len(data)


def _packets(source: Any, stream: Any) -> Iterator[Any]:
    """Whole packets, up to where a file breaks off."""
    import av

    try:
        for packet in source.demux(stream):
            if packet.size == 0 or packet.is_corrupt:
                return
            yield packet
    except (av.FFmpegError, ValueError):
        return


def _start_codes(data: bytes) -> bytes:
    """An image as an encoder gives it: units after start codes, where MP4 puts lengths of 4 bytes."""
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(b"\x00\x00\x00\x01" + data[at + 4 : at + 4 + size])
        at += 4 + size
    return b"".join(parts)


def _copied(packet: Any, stream: Any, data: bytes | None = None) -> Any:
    """A packet for a stream of another file."""
    import av

    copy = av.Packet(bytes(packet) if data is None else data)
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
    return copy


def _rewrap(partial: io.FileIO, path: Path, on_frame: Callable[[int], None]) -> int:
    """The same packets as an ordinary MP4 that starts playing while it loads; how many frames it has."""
    import av

    count = 0
    partial.seek(0)
    with _Storage(path, "w+b") as file:
        try:
            with av.open(partial, "r", format="mp4") as source:
                ticks = Fraction(source.streams.video[0].time_base or 1).denominator
                options = {**_ORDINARY, "video_track_timescale": str(ticks)}
                with av.open(file, "w", format="mp4", options=options) as target:
                    # As they are ("opaque"): PyAV 14 would open an encoder, and describe its packets.
                    streams = {
                        stream.index: target.add_stream_from_template(stream, opaque=True)
                        for stream in source.streams
                    }
                    for packet in source.demux():
                        if packet.size == 0:
                            continue
                        target.mux_one(_copied(packet, streams[packet.stream.index]))
                        if packet.stream.type == "video":
                            count += 1
                            on_frame(count)
        except av.FFmpegError as error:
            raise file.failed or error from error
    return count


class _AudioTrack:
    """Encodes audio alongside the frames, piece by piece."""

    def __init__(self, container: Any, sound: Sound | None, seconds: float | None) -> None:
        self.container = container
        if sound is None:
            self.stream: Any = None
            return
        import av

        layout = _LAYOUTS.get(sound.channels, "mono")
        self.rate = sound.rate if sound.rate in AAC_RATES else 48000
        self.channels = sound.channels if sound.channels in _LAYOUTS else 1
        self.layout = layout
        self.stream = container.add_stream("aac", rate=self.rate, layout=layout)
        self.stream.bit_rate = _BITS_PER_CHANNEL * self.channels
        self.end = None if seconds is None else round(seconds * self.rate)
        self.convert = (
            None
            if sound.rate == self.rate
            else av.AudioResampler(format=PACKED, layout=layout, rate=self.rate)
        )
        self.source_rate = sound.rate
        self.pieces = self._converted(sound)
        self.held = np.zeros((self.channels, 0), np.float32)
        self.done = 0
        self.exhausted = False

    def write_until(self, seconds: float) -> None:
        """Encode whole pieces up to ``seconds``."""
        if self.stream is None:
            return
        until = seconds * self.rate if self.end is None else min(seconds * self.rate, self.end)
        while self.done + _AAC_FRAME <= until and self._fill(_AAC_FRAME):
            self._encode(_AAC_FRAME)

    def finish(self) -> None:
        """Encode what is left."""
        if self.stream is None:
            return
        self.write_until(float("inf"))
        rest = self.held.shape[1] if self.end is None else self.end - self.done
        if rest > 0:
            self._fill(rest)
            self._encode(rest)
        self.container.mux(self.stream.encode(None))

    def _fill(self, count: int) -> bool:
        """Hold at least ``count`` samples; False when the recording ends before (unless silence follows)."""
        while self.held.shape[1] < count and not self.exhausted:
            piece = next(self.pieces, None)
            if piece is None:
                self.exhausted = True
            else:
                self.held = np.concatenate([self.held, piece], axis=1)
        missing = count - self.held.shape[1]
        if missing > 0 and self.end is not None:
            self.held = np.pad(self.held, ((0, 0), (0, missing)))
            return True
        return missing <= 0

    def _encode(self, count: int) -> None:
        piece, self.held = self.held[:, :count], self.held[:, count:]
        frame = packed(piece, self.layout)
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self.done, Fraction(1, self.rate)
        self.container.mux(self.stream.encode(frame))
        self.done += count

    def _converted(self, sound: Sound) -> Iterator[np.ndarray]:
        """The recording as AAC can carry it."""
        start = 0
        for piece in sound.pieces():
            samples = torch.nan_to_num(piece.detach().float().cpu()).clamp(-1, 1)
            if len(samples) != self.channels:
                samples = samples.mean(dim=0, keepdim=True)
            array = samples.numpy()
            if self.convert is None:
                yield array
                continue
            frame = packed(array, self.layout)
            frame.sample_rate, frame.pts = self.source_rate, start
            frame.time_base = Fraction(1, self.source_rate)
            start += array.shape[1]
            for out in self.convert.resample(frame):
                yield unpacked(out)
        if self.convert is not None:
            for out in self.convert.resample(None):
                yield unpacked(out)
