"""Small videos and recordings in any codec, for tests to read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class Track:
    """Sound: float samples [channels, S], which begin `delay` seconds after the picture."""

    samples: np.ndarray
    rate: int
    codec: str = "pcm_s16le"
    layout: str = "mono"
    delay: float = 0.0


def black(count: int, side: int = 32) -> list[np.ndarray]:
    return [np.zeros((side, side, 3), np.uint8)] * count


def write_media(
    path: Path,
    pictures: Sequence[np.ndarray] = (),
    tracks: Sequence[Track] = (),
    *,
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    times: Sequence[int] | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Pictures [H, W, 3 or 4] of bytes and sound tracks in one file.

    `times` are those of the pictures in milliseconds, by default one after another at `rate`; `rotation` is
    how far a player has to turn them, counter-clockwise in degrees.
    """
    with av.open(str(path), "w") as container:
        picture: Any = None
        if len(pictures):
            picture = container.add_stream(codec, rate=rate, options=options or {})
            picture.height, picture.width = pictures[0].shape[:2]
            picture.pix_fmt = pix_fmt
            if times is not None:
                picture.codec_context.time_base = MILLISECOND
        sounds: list[Any] = [container.add_stream(t.codec, rate=t.rate, layout=t.layout) for t in tracks]
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
            if times is None:
                frame.pts, frame.time_base = number, Fraction(1, rate)
            else:
                frame.pts, frame.time_base = times[number], MILLISECOND
            container.mux(picture.encode(frame))
        if picture is not None:
            container.mux(picture.encode(None))
        for stream, track in zip(sounds, tracks, strict=True):
            _add_sound(container, stream, track)
    if rotation:
        turn(path, {90: (0, -1, 1, 0), -90: (0, 1, -1, 0), 180: (-1, 0, 0, -1)}[rotation])
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix (its a, b, c, d) into the first track of an MP4 file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # in version 0, what comes before the matrix has 40 bytes
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def _add_sound(container: Any, stream: Any, track: Track) -> None:
    if track.samples.shape[1]:
        samples = np.ascontiguousarray(track.samples, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=track.layout)
        frame.sample_rate, frame.time_base = track.rate, Fraction(1, track.rate)
        frame.pts = round(track.delay * track.rate)
        resampler = av.AudioResampler(format=stream.format.name, layout=track.layout, rate=track.rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
    else:
        container.start_encoding()
    container.mux(stream.encode(None))


def packets(
    levels: Sequence[int],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    first: int = 0,
    rate: int = 25,
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
) -> list[Any]:
    """Encoded pictures of plain grey, one for each level, from ``first`` on in milliseconds."""
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = pix_fmt
    # MPEG-2 knows its own rates alone.
    base = Fraction(1, rate) if codec == "mpeg2video" else MILLISECOND
    encoder.time_base, encoder.framerate, encoder.options = base, Fraction(rate), options or {}
    made = []
    for number, level in enumerate(levels):
        pixels = np.full((size[1], size[0], 3), level, np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pix_fmt)
        at = number * MILLISECOND * 1000 / rate if times is None else times[number] * MILLISECOND
        frame.pts, frame.time_base = int((at + first * MILLISECOND) / base), base
        made += encoder.encode(frame)
    return made + encoder.encode(None)


def mux(
    path: Path,
    pictures: Sequence[Any],
    sound: Sequence[tuple[float, np.ndarray]] = (),
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    told_rate: int = 25,
    sound_rate: int = 16000,
    sound_codec: str = "pcm_s16le",
    layout: str = "mono",
) -> Path:
    """Packets of pictures and pieces of sound (seconds, samples [S]) in a file, each with the time it has."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=told_rate)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = MILLISECOND
        track: Any = container.add_stream(sound_codec, rate=sound_rate, layout=layout) if sound else None
        container.start_encoding()
        queue: list[tuple[float, Any]] = []
        for packet in pictures:
            copy = av.Packet(bytes(packet))
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
            queue.append((float(packet.dts * packet.time_base), copy))
        for seconds, samples in sound:
            channels = 1 if layout == "mono" else 2
            whole = np.repeat((samples * 32767).astype(np.int16), channels)[None]
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
            frame.sample_rate, frame.time_base = sound_rate, Fraction(1, sound_rate)
            frame.pts = round(seconds * sound_rate)
            queue += [(seconds, packet) for packet in track.encode(frame)]
        if track is not None:
            queue += [(1e9, packet) for packet in track.encode(None)]
        for _, packet in sorted(queue, key=lambda entry: entry[0]):
            container.mux_one(packet)
    return path
