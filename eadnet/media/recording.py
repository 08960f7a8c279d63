"""A recording that somebody else made: whatever it is held in, as [C, S] samples and a rate, or one sentence.

Programs agree on a waveform and a sample rate and on little else. The rate comes as a float, a NumPy number
or a tensor; the samples as arrays or lists, of any type of number, with or without axes for batch and
channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .sound import SoundInMemory
from .tensors import NO_NUMBERS, tensor_of

LOWEST_RATE, HIGHEST_RATE = 100, 768_000
_LOUDEST = 16.0  # beyond it (24 dB over full scale) floats are not in -1..1 but in the range of some integer
_MOST_CHANNELS = 64
_INTEGERS = {  # the value of silence, and how far full scale is from it
    torch.uint8: (1 << 7, 1 << 7),
    torch.int8: (0, 1 << 7),
    torch.int16: (0, 1 << 15),
    torch.uint16: (1 << 15, 1 << 15),
    torch.int32: (0, 1 << 31),
    torch.uint32: (1 << 31, 1 << 31),
}


@dataclass(frozen=True)
class Recording:
    """``waveform`` [C, S] float32 on the processor, full scale at 1, all finite, at least one sample;
    ``rate`` samples per second; ``notes``, plain sentences about what was put right.
    """

    waveform: Tensor
    rate: int
    notes: tuple[str, ...] = ()

    def sound(self) -> SoundInMemory:
        """It as a source of sound, with the notes."""
        made = SoundInMemory(self.waveform, self.rate)
        made.notes.extend(self.notes)
        return made

    @property
    def seconds(self) -> float:
        return self.waveform.shape[-1] / self.rate


def recording_of(value: Any, name: str = "audio", advice: str = "connect the speech") -> Recording:
    """What is at the input ``name``: a mapping with "waveform" ([S], [C, S] or [1, C, S]) and "sample_rate",
    which may read its file only when it is asked.

    Integers are scaled to -1..1, and so are floats in the range of 16- or 32-bit integers, with a note.
    Raises InputError, which names the input, for whatever is no recording; ``advice`` says what to do where
    there is none.
    """
    if value is None:
        raise InputError(f"The {name} input is empty: {advice}.")
    if not isinstance(value, Mapping):
        raise InputError(f"The {name} input is {_kind(value)} and no AUDIO: {advice}.")
    try:
        waveform, rate = value["waveform"], value["sample_rate"]
    except KeyError as error:
        raise InputError(f"The {name} input is an AUDIO without {error}: {advice}.") from error
    except Exception as error:  # a lazy one opens its file now, by other people's code
        raise InputError(f"The AUDIO at {name} cannot be read ({error}): load it in another way.") from error
    notes: list[str] = []
    samples = _axes(_full_scale(_numbers(waveform, name), name, notes), name, notes)
    return Recording(samples, rate_of(rate, f"sample_rate of {name}", notes), tuple(notes))


def rate_of(value: Any, name: str, notes: list[str] | None = None) -> int:
    """Samples per second, whatever kind of number they come as. Raises InputError, which says ``name``."""
    try:
        number = float(np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value).reshape(()))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number = math.nan
    if isinstance(value, bool | np.bool_) or not LOWEST_RATE <= number <= HIGHEST_RATE:
        shown = _shown(value)
        raise InputError(
            f"The {name} is {shown}: it must be a number of samples per second from {LOWEST_RATE} to "
            f"{HIGHEST_RATE}, such as 44100."
        )
    if number != round(number) and notes is not None:
        notes.append(f"The {name} is {number:g}: {round(number)} was used.")
    return round(number)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _numbers(waveform: Any, name: str) -> Tensor:
    """The samples as a tensor of real numbers on the processor."""
    try:
        samples = tensor_of(waveform, move=True)
    except NO_NUMBERS as error:
        raise InputError(
            f"The waveform of {name} is {_kind(waveform)} that is no array of samples: give numbers of the "
            "shape [1, channels, samples]."
        ) from error
    if samples.dtype == torch.bool or samples.is_complex() or samples.is_quantized:
        raise InputError(
            f"The waveform of {name} holds {samples.dtype} values, no samples: use floating point in -1..1."
        )
    if samples.numel() == 0:
        raise InputError(
            f"The waveform of {name} has the shape {list(samples.shape)}, no samples: use longer audio."
        )
    return samples


def _full_scale(samples: Tensor, name: str, notes: list[str]) -> Tensor:
    """float32, full scale at 1."""
    peak: float
    if not samples.is_floating_point():
        silence, full = _INTEGERS.get(samples.dtype, (0, 0))
        if not full:  # 64 bits, as of plain Python lists: no recorder's, so its values tell
            peak = max(abs(int(samples.amin())), abs(int(samples.amax())))
            full = 1 << 15 if peak <= 1 << 15 else 1 << 31
        return ((samples.double() - silence) / full).float()
    if samples.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        samples = samples.float()
    # The extremes are not finite if any sample is not, and need no memory, unlike a mask of all samples. In
    # the samples' own type: what is finite there may not be in float32.
    peak = max(abs(float(extreme)) for extreme in torch.aminmax(samples))
    if not math.isfinite(peak):
        raise InputError(f"The waveform of {name} contains NaN or infinite samples: export it again.")
    if peak > _LOUDEST:
        bits = 16 if peak <= 1 << 16 else 32
        if peak > 1 << 32:
            raise InputError(
                f"The waveform of {name} goes up to {peak:.3g}: use floating-point samples in -1..1."
            )
        notes.append(
            f"The waveform of {name} goes up to {peak:.6g}, not 1: it was taken for {bits}-bit samples and "
            "scaled."
        )
        samples = samples.double() / (1 << (bits - 1))
        peak /= 1 << (bits - 1)
    if peak > 1.001:
        notes.append(
            f"The waveform of {name} is {20 * math.log10(peak):.1f} dB louder than full scale: it is clipped "
            "in a film."
        )
    return samples.float()


def _axes(samples: Tensor, name: str, notes: list[str]) -> Tensor:
    """[C, S], contiguous."""
    shape = list(samples.shape)
    *many, channels, count = [1, 1, *shape]
    if (batch := math.prod(many)) != 1:
        raise InputError(
            f"The waveform of {name} has the shape {shape}, a batch of {batch} clips: use one at a time."
        )
    samples = samples.reshape(channels, count)
    if count <= 8 < channels:  # audio files read as [samples, channels]
        notes.append(f"The waveform of {name} has the shape {shape}: it was taken for samples by channels.")
        samples, channels = samples.T, count
    if channels > _MOST_CHANNELS:
        raise InputError(
            f"The waveform of {name} has {channels} channels: the shape is [1, channels, samples], with at "
            f"most {_MOST_CHANNELS} channels."
        )
    return samples.contiguous()
