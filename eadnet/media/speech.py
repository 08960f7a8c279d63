"""Speech at 16 kHz, mono, on disk: any stretch of an hour can be read, and memory holds none of it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .audio import RATE, ChannelStatistics, mixed
from .limits import check_rate
from .sound import Sound
from .waveform import check_waveform

_BLOCK = 1 << 18  # input samples that are resampled together


class Speech(Protocol):
    """Mono speech at 16 kHz of which any stretch can be read."""

    samples: int

    def read(self, start: int, stop: int) -> Tensor:
        """[stop - start] float32; silence before the beginning and after the end."""
        ...


class SpeechInMemory:
    """A waveform [S] at 16 kHz."""

    def __init__(self, waveform: Tensor) -> None:
        self.waveform = waveform.float()
        self.samples = waveform.numel()

    def read(self, start: int, stop: int) -> Tensor:
        inside = self.waveform[max(0, start) : max(0, stop)]
        return _placed(inside, start, stop)


class SpeechFile:
    """Speech that was recorded with `record_speech`; ``seconds`` is how long the audio really was; ``notes``
    are about the recording.
    """

    def __init__(self, path: Path, samples: int, seconds: float, notes: Sequence[str] = ()) -> None:
        self.path, self.samples, self.seconds, self.notes = path, samples, seconds, list(notes)

    def read(self, start: int, stop: int) -> Tensor:
        first, last = max(0, start), min(self.samples, stop)
        # Into memory of torch's own, which always lies alike: kernels may round by where a number lies, and
        # a render that goes on must get the same bits. The whole of a long recording may be asked for: it is
        # not copied to put silence around it.
        inside = torch.empty(max(0, last - first))
        if inside.numel():
            with self.path.open("rb") as file:
                file.seek(4 * first)
                file.readinto(inside.numpy().view(np.uint8))  # type: ignore[arg-type]
        return inside if inside.numel() == stop - start else _placed(inside, start, stop)


def _placed(inside: Tensor, start: int, stop: int) -> Tensor:
    before = min(max(0, -start), stop - start)
    return torch.nn.functional.pad(inside, (before, stop - start - before - inside.numel()))


def record_speech(sound: Sound, path: str | os.PathLike[str]) -> SpeechFile:
    """Mix a recording to mono, resample it to 16 kHz and keep it at ``path`` (64 kB for every second).

    Equals `eadnet.media.audio.to_mono_16k` of the whole. Raises InputError when there is no audio or no room.
    """
    path = Path(path)
    statistics = ChannelStatistics(sound.channels)
    try:
        total, written = _record(sound, path, (), statistics)
        if inverted := statistics.inverted():
            total, written = _record(sound, path, inverted)
    except OSError as error:
        raise InputError(
            f"The audio cannot be saved in {path.parent} ({error}): free some space or choose another folder."
        ) from error
    if total == 0:
        raise InputError("The audio has no samples: use longer audio.")
    return SpeechFile(path, written, total / sound.rate, statistics.notes())


def _record(
    sound: Sound, path: Path, inverted: Sequence[int], statistics: ChannelStatistics | None = None
) -> tuple[int, int]:
    """Samples of the recording, and of the speech in the file."""
    convert = _Resampler(sound.rate)
    total = written = 0
    with path.open("wb") as file:
        for piece in sound.pieces():
            total += piece.shape[-1]
            if statistics is not None:
                statistics.add(piece)
            written += _write(file, convert.push(mixed(check_waveform(piece), inverted).cpu().numpy()))
        written += _write(file, convert.finish())
    return total, written


def _write(file: BinaryIO, pieces: Iterator[np.ndarray]) -> int:
    count = 0
    for piece in pieces:
        file.write(piece.tobytes())
        count += len(piece)
    return count


class _Resampler:
    """`scipy.signal.resample_poly` to 16 kHz, block after block: each block with the samples around it that
    the filter needs.
    """

    def __init__(self, rate: int) -> None:
        rate = check_rate(rate, "the audio")
        common = math.gcd(rate, RATE)
        self.up, self.down = RATE // common, rate // common
        if self.up != self.down:
            from scipy.signal import firwin  # which takes a second or two

            widest = max(self.up, self.down)
            self.filter = firwin(20 * widest + 1, 1.0 / widest, window=("kaiser", 5.0)).astype(np.float32)
            # Blocks begin where an input sample and an output sample coincide.
            self.around = math.ceil((10 * widest / self.up + 1) / self.down) * self.down
        self.held = np.zeros(0, np.float32)
        self.begin = 0  # number of the first sample held
        self.done = 0  # samples whose audio is given out

    def push(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        if self.up == self.down:
            yield samples
            return
        self.held = np.concatenate([self.held, samples])
        end = self.begin + len(self.held)
        if end - self.done >= _BLOCK + self.around:
            yield from self._give((end - self.around) // self.down * self.down, final=False)

    def finish(self) -> Iterator[np.ndarray]:
        """What is left, up to the end of the audio."""
        if self.up != self.down:
            yield from self._give(self.begin + len(self.held), final=True)

    def _give(self, until: int, final: bool) -> Iterator[np.ndarray]:
        from scipy.signal import resample_poly

        if until <= self.done:
            return
        seen = self.held if final else self.held[: until + self.around - self.begin]
        whole = resample_poly(seen, self.up, self.down, window=self.filter)
        skip = (self.done - self.begin) * self.up // self.down
        count = math.ceil((until - self.done) * self.up / self.down)
        yield np.ascontiguousarray(whole[skip : skip + count], dtype=np.float32)
        self.done = until
        keep = max(0, until - self.around)
        self.held, self.begin = self.held[keep - self.begin :], keep
