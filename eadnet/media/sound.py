"""Sound read as a stream: the same pieces again and again, never the whole recording in memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .waveform import check_waveform

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

log = logging.getLogger(__name__)

# Channels sample by sample: PyAV reads beyond the planes of frames that have one for each of eight channels.
PACKED = "flt"
_PIECE = 1 << 16  # samples of a recording in memory that are handed on together


class Sound(Protocol):
    """A recording that can be read as often as needed."""

    rate: int
    channels: int
    notes: list[str]  # what the user should know about it, each a plain sentence; grows while reading

    def pieces(self) -> Iterator[Tensor]:
        """Consecutive stretches [C, n], float32, each of any length."""
        ...


class SoundInMemory:
    """A waveform [S], [C, S] or [1, C, S] at ``rate`` samples per second."""

    def __init__(self, waveform: Tensor, rate: int) -> None:
        waveform = check_waveform(waveform)
        channels = 1 if waveform.ndim == 1 else waveform.shape[-2]
        if waveform.numel() != channels * waveform.shape[-1]:
            raise InputError("The audio is a batch of several clips: use one at a time.")
        self.waveform = waveform.reshape(channels, -1)
        self.rate, self.channels = rate, channels
        self.notes: list[str] = []

    def pieces(self) -> Iterator[Tensor]:
        yield from self.waveform.split(_PIECE, dim=1)


class SoundFile:
    """The first sound track of any file FFmpeg reads (wav, mp3, flac, mp4, mkv, ...) that it can decode.

    Where the file also has a picture track, sample 0 belongs to the first picture: a track that starts late
    is preceded by silence, one that starts early is cut. Damaged packets are left out, as players do.
    ``start`` and ``seconds`` make it a part of the file, by the file's own clock: sample 0 is at ``start``,
    and it ends ``seconds`` later (0: with the track).
    Raises InputError for a missing or unreadable file, no sound track, no samples (in the part), NaN or
    infinite samples.
    """

    def __init__(self, path: str | os.PathLike[str], start: float = 0.0, seconds: float = 0.0) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        first = next(self._decoded(), None)
        if first is None:
            raise InputError(
                f"the audio track of {self.path.name} is empty or damaged: choose a file with audio."
            )
        self.rate, self.channels = first.rate, first.samples.shape[0]
        # What the first sample of the track is behind sample 0 by.
        begin = start if start > 0 else first.pictures_start
        self._shift = 0 if begin is None else round((first.start - begin) * first.rate)
        self._most = round(seconds * first.rate) if seconds > 0 else None

    def pieces(self) -> Iterator[Tensor]:
        any_left, left = False, self._most
        for piece in self._shifted():
            if left is not None:
                piece = piece[:, :left]
                left -= piece.shape[1]
            if piece.shape[1] == 0:
                continue
            any_left = True
            yield torch.from_numpy(piece)
            if left == 0:
                return
        if not any_left:
            raise InputError(f"the audio track of {self.path.name} has no samples: use longer audio.")

    def _shifted(self) -> Iterator[np.ndarray]:
        """The samples [C, n] from sample 0 on; they may be none."""
        if self._shift > 0:
            yield np.zeros((self.channels, self._shift), np.float32)
        cut = max(0, -self._shift)
        for piece in self._decoded():
            samples = piece.samples[:, cut:]
            cut -= piece.samples.shape[1] - samples.shape[1]
            if not np.isfinite(samples).all():
                raise InputError(
                    f"the audio track of {self.path.name} contains NaN or infinite samples: export it again."
                )
            yield samples

    def _decoded(self) -> Iterator[_Piece]:
        import av

        name = self.path.name
        if not self.path.is_file():
            raise InputError(f"{name} is not a file: check the path.")
        try:
            with av.open(str(self.path)) as container:
                if not container.streams.audio:
                    raise InputError(f"{name} has no audio track: choose a file with audio.")
                # Of some tracks (spatial sound of phones) FFmpeg has no decoder: decoding them would crash.
                tracks = [track for track in container.streams.audio if track.codec_context is not None]
                if not tracks:
                    raise InputError(f"{name} has no audio track that can be decoded: convert it to WAV.")
                if len(container.streams.audio) > 1:
                    log.info("%s has %d audio tracks: the first is used.", name, len(container.streams.audio))
                yield from _pieces(container, tracks[0], name)
        except InputError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{name} cannot be read as audio ({error}): convert it to WAV or MP4."
            ) from error


@dataclass(frozen=True)
class _Piece:
    """Decoded samples [C, n], their rate, and when (in seconds) the track and its file's pictures start."""

    samples: np.ndarray
    rate: int
    start: float
    pictures_start: float | None


def _pieces(container: InputContainer, track: AudioStream, name: str) -> Iterator[_Piece]:
    import av

    resampler: av.AudioResampler | None = None
    rate, start = 0, 0.0
    pictures_start = _first_picture_seconds(container)
    for packet in container.demux(track):
        try:
            frames = packet.decode()
        except av.InvalidDataError as error:
            log.warning("%s: a damaged piece of sound was left out (%s)", name, error)
            continue
        for frame in frames:
            if not isinstance(frame, av.AudioFrame):
                continue
            if resampler is None:
                rate, start = frame.sample_rate, float(frame.time or 0.0)
                resampler = av.AudioResampler(format=PACKED, layout=frame.layout, rate=rate)
            for piece in resampler.resample(frame):
                yield _Piece(unpacked(piece), rate, start, pictures_start)


def unpacked(frame: AudioFrame) -> np.ndarray:
    """Samples [C, n] float32 of a frame in the format `PACKED`."""
    channels = len(frame.layout.channels)
    return np.ascontiguousarray(frame.to_ndarray().reshape(-1, channels).T, np.float32)


def packed(samples: np.ndarray, layout: str) -> AudioFrame:
    """A frame of samples [C, n]."""
    import av

    flat = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
    return av.AudioFrame.from_ndarray(flat, format=PACKED, layout=layout)


def _first_picture_seconds(container: InputContainer) -> float | None:
    import av

    for stream in container.streams.video:
        # The cover of a music file is a picture track too, but sets no clock.
        cover = bool(stream.disposition & av.stream.Disposition.attached_pic)
        if not cover and stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return None
