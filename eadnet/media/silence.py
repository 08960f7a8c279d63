"""Speech and pauses of a recording: a gate on its energy, with hysteresis."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from .audio import RATE
from .speech import Speech

# Relative to the level of the speech itself, in decibels of power: the gate opens above one and closes below
# the other, so that it does not flutter in between.
OPEN, CLOSE = -30.0, -40.0
# Quieter than this (dB below full scale) nothing is speech, however quiet the whole recording is.
FLOOR = -60.0
_BLOCK = RATE // 100  # 10 ms
_READ = 100 * 60  # blocks read at a time: a minute
# Sounds that close the lips are short and quiet: the gate shuts late, and opens ahead of the audio.
HOLD = 0.20
AHEAD = 0.08
FADE = 0.08


def speech_gate(speech: Speech, fps: float | Fraction, num_frames: int) -> Tensor:
    """The gate of every frame: 1 where there is speech, 0 in silence, a short fade in between.

    Args:
        speech: mono, 16 kHz.
        fps, num_frames: of the video.

    Returns:
        [num_frames] float32 in 0..1. A recording without any pause gives ones, one without speech zeros.
    """
    loud = _decibels(speech)
    spoken = _hysteresis(loud, _level(loud))
    hold, ahead, fade = (round(100 * seconds) for seconds in (HOLD, AHEAD, FADE))
    widened = _dilated(spoken, ahead, hold).float()
    kernel = torch.ones(1, 1, 2 * fade + 1) / (2 * fade + 1)
    padded = torch.nn.functional.pad(widened[None, None], (fade, fade), mode="replicate")
    # A mean over the widened gate: still 1 wherever the narrow one is, as the widening is at least the fade.
    smooth = torch.nn.functional.conv1d(padded, kernel)[0, 0].clamp(0, 1)
    at = (torch.arange(num_frames, dtype=torch.float64) + 0.5) / float(fps) * 100
    inside = at.long() < len(smooth)
    return torch.where(inside, smooth[at.long().clamp(max=len(smooth) - 1)], torch.zeros(()))


def _decibels(speech: Speech) -> Tensor:
    """Power of each 10 ms relative to full scale, [blocks] float32."""
    blocks = max(1, math.ceil(speech.samples / _BLOCK))
    parts = []
    for start in range(0, blocks, _READ):
        stop = min(start + _READ, blocks)
        samples = speech.read(start * _BLOCK, stop * _BLOCK).reshape(-1, _BLOCK)
        parts.append(10 * samples.square().mean(dim=1).clamp(min=1e-12).log10())
    return torch.cat(parts)


def _level(loud: Tensor) -> float:
    """The level of the speech: the mean of the loudest tenth, which pauses do not change much."""
    return float(loud.topk(max(1, len(loud) // 10)).values.mean())


def _hysteresis(loud: Tensor, level: float) -> Tensor:
    opened = loud > max(level + OPEN, FLOOR)
    closed = loud < max(level + CLOSE, FLOOR)
    # Between the two thresholds a block keeps the state of the last one that was beyond either.
    state = torch.where(opened, 1, torch.where(closed, 0, -1))
    index = torch.arange(len(state))
    last = torch.where(state >= 0, index, -1).cummax(dim=0).values
    return torch.where(last >= 0, state[last.clamp(min=0)] == 1, False)


def _dilated(spoken: Tensor, ahead: int, hold: int) -> Tensor:
    """True also ``ahead`` blocks before and ``hold`` blocks after each True."""
    padded = torch.nn.functional.pad(spoken.float()[None, None], (hold, ahead))
    return torch.nn.functional.max_pool1d(padded, hold + ahead + 1, stride=1)[0, 0] > 0


def fade_to_silence(tokens: Tensor, gate: Tensor, quiet: Tensor) -> Tensor:
    """Tokens [n, N, D] that fade to those of silence, ``quiet`` [N, D], where ``gate`` [n] closes."""
    quiet = quiet.to(tokens)
    return quiet + gate.to(tokens)[:, None, None] * (tokens - quiet)


def silence_tokens(encoder: Any) -> Tensor:
    """What an audio encoder gives for a frame in the middle of silence, [N, D]."""
    tokens: Tensor = encoder.encode_speech(torch.zeros(RATE), 25, 25)[12]
    return tokens
