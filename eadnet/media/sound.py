"""Sound read as a stream: the same pieces again and again, never the whole recording in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..paths import is_file
from ..printable import get_logger
from .limits import check_channels, check_rate, check_seconds
from .notes import add_note
from .opening import open_media
from .streams import demuxed, first_picture_time, is_broken, sound_stream, told_end
from .waveform import check_waveform

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

log = get_logger(__name__)

# Channels sample by sample: PyAV reads beyond the planes of frames that have one for each of eight channels.
PACKED = "flt"
_PIECE = 1 << 16  # samples of a recording in memory that are handed on together
# By how many seconds stamps may differ from the count of samples: containers round them, recorders shake
# them. Near is never moved, far at once, what is between when it stays so for some pieces.
_NEAR, _FAR, _OFTEN = 0.02, 0.06, 12


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
    """The sound track that a player plays of any file FFmpeg reads (wav, mp3, flac, mp4, mkv, ...): the
    default one, or else the first that can be decoded.

    Every sample is where its time stamp says: holes are silent, what overlaps is heard once. A track that
    changes its rate, channels or format on the way keeps those it begins with. Where the file also has
    pictures, sample 0 belongs to the first picture that can be shown: a track that starts late is preceded by
    silence, one that starts early is cut. Damaged packets are silent.
    ``start`` and ``seconds`` make it a part of the file, by the file's own clock: sample 0 is at ``start``,
    and it ends ``seconds`` later (0: with the track).
    Raises InputError for a missing or unreadable file, no sound track, no samples (in the part), NaN or
    infinite samples, or a rate that no recording has.
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
        # When sample 0 is, by the file's clock.
        pictures = _first_picture(self.path) if not start > 0 else None
        own = first.start or 0.0
        self._begin = start if start > 0 else own if pictures is None else float(pictures)
        self._most = round(seconds * first.rate) if seconds > 0 else None

    def pieces(self) -> Iterator[Tensor]:
        any_left, left = False, self._most
        for piece in self._placed():
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

    def _placed(self) -> Iterator[np.ndarray]:
        """The samples [C, n] from sample 0 on, each at its time; they may be none."""
        done = 0  # samples given out
        aside = 0.0  # seconds by which stamps that cannot be are put right
        drift = _Drift(self.rate)
        for piece in self._decoded():
            samples = piece.samples
            if not np.isfinite(samples).all():
                raise InputError(
                    f"the audio track of {self.path.name} contains NaN or infinite samples: export it again."
                )
            if piece.start is not None:
                apart = round((piece.start - self._begin + aside) * self.rate) - done
                if done and is_broken(apart / self.rate, piece.start > piece.ends):
                    aside -= apart / self.rate
                    apart = 0
                    self._note("has time stamps that cannot be: its sound goes on without a gap there")
                if done and not drift.counts(apart):
                    apart = 0
                if apart > 0:
                    check_seconds(apart / self.rate, self.path.name)
                    if done:
                        self._note(
                            "has holes in its sound: they are silent, so that what follows stays in time"
                        )
                    for at in range(0, apart, _PIECE):
                        yield np.zeros((self.channels, min(_PIECE, apart - at)), np.float32)
                    done += apart
                elif apart < 0:
                    if done:
                        self._note("has sound that overlaps: what was heard already is left out")
                    samples = samples[:, -apart:]
            done += samples.shape[1]
            yield samples

    def _decoded(self) -> Iterator[_Piece]:
        import av

        name = self.path.name
        if not is_file(self.path):
            raise InputError(f"{name} is not a file: check the path.")
        try:
            with open_media(self.path) as container:
                if not container.streams.audio:
                    raise InputError(f"{name} has no audio track: choose a file with audio.")
                track = sound_stream(container)
                if track is None:
                    raise InputError(f"{name} has no audio track that can be decoded: convert it to WAV.")
                if len(container.streams.audio) > 1:
                    which = "first" if track is container.streams.audio[0] else "default one"
                    log.info(
                        "%s has %d audio tracks: the %s is used.", name, len(container.streams.audio), which
                    )
                yield from self._pieces(container, track)
        except InputError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise InputError(
                f"{name} cannot be read as audio ({error}): convert it to WAV or MP4."
            ) from error

    def _pieces(self, container: InputContainer, track: AudioStream) -> Iterator[_Piece]:
        """What the track holds, in the rate and the channels of its beginning."""
        import av

        form: tuple[str, str, int] | None = None
        resampler: av.AudioResampler | None = None
        rate = damaged = 0
        ends = told_end(container)
        for packet in demuxed(container, track):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                damaged += 1
                continue
            for frame in frames:
                if not isinstance(frame, av.AudioFrame):
                    continue
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if now != form:
                    if resampler is not None:
                        # What the old one still holds follows what it gave.
                        for piece in resampler.resample(None):
                            yield _Piece(unpacked(piece), rate, None, ends)
                        self._note(
                            "changes the rate, the channels or the format of its sound on the way: all of it "
                            "is brought to those of its beginning"
                        )
                    else:
                        rate = check_rate(frame.sample_rate, self.path.name)
                        check_channels(len(frame.layout.channels), self.path.name)
                        target: Any = frame.layout
                    form = now
                    resampler = av.AudioResampler(format=PACKED, layout=target, rate=rate)
                    fed = given = 0.0
                assert resampler is not None
                # Where the rate is changed, the resampler holds some samples back: they come first.
                start = None if frame.time is None else float(frame.time) - (fed - given)
                fed += frame.samples / frame.sample_rate
                for piece in resampler.resample(frame):
                    samples = unpacked(piece)
                    given += samples.shape[1] / rate
                    yield _Piece(samples, rate, start, ends)
                    start = None
        if damaged:
            log.warning("%s: %d damaged pieces of sound were left out.", self.path.name, damaged)
        if resampler is not None and form is not None and form[2] != rate:
            for piece in resampler.resample(None):
                yield _Piece(unpacked(piece), rate, None, ends)

    def _note(self, what: str) -> None:
        add_note(self.notes, f"{self.path.name} {what}.")


class _Drift:
    """Tells stamps that are only rounded or shaken from sound that really is elsewhere."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._times = 0  # in a row that the stamps were somewhat off to the same side

    def counts(self, apart: int) -> bool:
        """Whether samples that come ``apart`` samples late (or, negative, early) are to be moved."""
        off = abs(apart) / self._rate
        if off > _FAR:
            self._times = 0
            return True
        if off <= _NEAR:
            self._times = 0
            return False
        side = 1 if apart > 0 else -1
        self._times = self._times + side if self._times * side >= 0 else side
        if abs(self._times) < _OFTEN:
            return False
        self._times = 0
        return True


@dataclass(frozen=True)
class _Piece:
    """Decoded samples [C, n], their rate, when they are heard, in seconds (None: right after those before),
    and when the file ends.
    """

    samples: np.ndarray
    rate: int
    start: float | None
    ends: float


def _first_picture(path: Path) -> Fraction | None:
    """When the first picture of a file is shown; None where it has none."""
    import av

    try:
        with open_media(path) as container:
            return first_picture_time(container)
    except (av.FFmpegError, ValueError):
        return None


def unpacked(frame: AudioFrame) -> np.ndarray:
    """Samples [C, n] float32 of a frame in the format `PACKED`."""
    channels = len(frame.layout.channels)
    return np.ascontiguousarray(frame.to_ndarray().reshape(-1, channels).T, np.float32)


def packed(samples: np.ndarray, layout: str) -> AudioFrame:
    """A frame of samples [C, n]."""
    import av

    flat = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
    return av.AudioFrame.from_ndarray(flat, format=PACKED, layout=layout)
