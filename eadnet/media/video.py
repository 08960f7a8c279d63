"""Video files through PyAV: frames in, H.264 and AAC out, with no other program and no temporary files
elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .colour import ToFilm, declare_film
from .display import Display
from .opening import media_name
from .streams import Decoder, decoded, open_video, picture_stream, stream_fps

# Sampling rates AAC can carry; sound of any other rate is brought to 48 kHz.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC_FRAME = 1024
# In smaller images x264's macroblock tree reads uninitialised memory: the same frames give other bytes
# now and then (10 of 200 groups of 32 x 32; none of 60 from 64 x 64 on).
_TREE_FROM = 64


@dataclass(frozen=True)
class Video:
    """Frames uint8 [T, H, W, 3] and frames per second."""

    frames: np.ndarray
    fps: Fraction


def video_fps(path: str | os.PathLike[str]) -> Fraction:
    """Frames per second of a video file. Raises InputError for an unreadable file."""
    with open_video(Path(path)) as container:
        return stream_fps(picture_stream(container))


def read_frames(path: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """The frames of a video one after the other, uint8 [H, W, 3], each as a player shows it (see `Display`),
    without regard to their times.

    Raises InputError for a missing or broken file, or one without a single frame.
    """
    path = Path(path)
    with open_video(path) as container:
        stream = picture_stream(container)
        decoder = Decoder(stream)
        display = Display(path.name, stream, decoder, [])
        count = 0
        for frame in decoded(container, stream, decoder):
            if count or not frame.is_corrupt:
                yield display.pixels(frame)
                count += 1
        if count == 0:
            raise InputError(f"{path.name} is damaged: no frame can be read, convert it again.")


def read_video(path: str | os.PathLike[str], limit: int | None = None) -> Video:
    """All frames of a video, or its first ``limit``. Raises InputError as `read_frames` does."""
    frames = []
    for frame in read_frames(path):
        frames.append(frame)
        if limit is not None and len(frames) >= limit:
            break
    return Video(np.stack(frames), video_fps(path))


def even_sized(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column where a side is odd: H.264 with 4:2:0 colour needs even sides."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def repeatable(size: tuple[int, int]) -> dict[str, str]:
    """Options of x264 with which the same frames of (width, height) always give the same bytes."""
    return {"x264-params": "mbtree=0"} if min(size) < _TREE_FROM else {}


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: Fraction | float,
    waveform: Tensor | None = None,
    rate: int | None = None,
    quality: int = 16,
    *,
    key_every: int = 0,
    threads: int = 0,
) -> int:
    """Write uint8 frames [H, W, 3] with audio [C, S] in [-1, 1] as MP4 (H.264, AAC); returns the frame count.

    Exactly the given frames are written, streamed, so memory does not grow with length, as BT.709, which the
    file says. ``quality`` is x264's constant rate factor. Sound of more than two channels is mixed to one.
    ``key_every``: at most so many frames from one that is decoded by itself to the next; ``threads``: of the
    encoder, on whose number its bytes depend (0 of both: the encoder's choice).
    The file appears whole or not at all. Raises InputError when there are no frames or the place cannot be
    written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=path.stem + ".", suffix=".part", dir=path.parent)
    except OSError as error:
        raise InputError(f"The video {path} cannot be written ({error}): choose another place.") from error
    os.close(handle)
    try:
        encoding = {"crf": str(quality), "preset": "medium"}
        encoding |= {"g": str(key_every)} if key_every else {}
        encoding |= {"threads": str(threads)} if threads else {}
        count = _write(part, frames, Fraction(fps).limit_denominator(1001), waveform, rate, encoding)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return count


def _write(
    part: str,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    waveform: Tensor | None,
    rate: int | None,
    encoding: dict[str, str],
) -> int:
    import av

    with av.open(media_name(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture: Any = container.add_stream("libx264", rate=fps)
        sound = None if waveform is None or rate is None else _Sound(container, waveform, rate)
        to_film = ToFilm()
        count = 0
        for pixels in frames:
            pixels = even_sized(pixels)
            if count == 0:
                picture.height, picture.width = pixels.shape[:2]
                declare_film(picture.codec_context)
                picture.options = encoding | repeatable((picture.width, picture.height))
                picture.time_base = 1 / fps
            frame = to_film(pixels)
            frame.pts, frame.time_base = count, 1 / fps
            container.mux(picture.encode(frame))
            count += 1
            if sound is not None:
                sound.write_until(float(count / fps))
        if count == 0:
            raise InputError("There are no frames to write: the clip is empty.")
        container.mux(picture.encode(None))
        if sound is not None:
            sound.finish()
    return count


class _Sound:
    """Encodes audio alongside the frames, so that the file is interleaved and can be played while it
    loads.
    """

    def __init__(self, container: Any, waveform: Tensor, rate: int) -> None:
        samples, rate = _carried(waveform, rate)
        self.container, self.rate = container, rate
        self.samples = samples
        self.layout = "mono" if len(samples) == 1 else "stereo"
        self.stream = container.add_stream("aac", rate=rate, layout=self.layout)
        self.stream.bit_rate = 96_000 * len(samples)
        self.done = 0

    def write_until(self, seconds: float) -> None:
        """Encode whole pieces up to ``seconds``."""
        while self.done + _AAC_FRAME <= min(seconds * self.rate, self.samples.shape[1]):
            self._encode(self.samples[:, self.done : self.done + _AAC_FRAME])

    def finish(self) -> None:
        """Encode what is left."""
        self.write_until(float("inf"))
        if self.done < self.samples.shape[1]:
            self._encode(self.samples[:, self.done :])
        self.container.mux(self.stream.encode(None))

    def _encode(self, piece: np.ndarray) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout=self.layout)
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self.done, Fraction(1, self.rate)
        self.container.mux(self.stream.encode(frame))
        self.done += piece.shape[1]


def _carried(waveform: Tensor, rate: int) -> tuple[np.ndarray, int]:
    """Sound as AAC can carry it: one or two channels, a rate it knows, float32 in [-1, 1]."""
    from scipy.signal import resample_poly

    samples = waveform.detach().float().cpu().reshape(-1, waveform.shape[-1])
    if len(samples) > 2:
        samples = samples.mean(dim=0, keepdim=True)
    array = torch.nan_to_num(samples).clamp(-1, 1).numpy()
    if rate not in AAC_RATES:
        common = int(np.gcd(48000, rate))
        array = resample_poly(array, 48000 // common, rate // common, axis=1).astype(np.float32)
        rate = 48000
    return np.ascontiguousarray(array, dtype=np.float32), rate
