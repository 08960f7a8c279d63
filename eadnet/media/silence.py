"""Speech and pauses of a recording: a gate on its energy, with hysteresis, that only speech opens.

Energy alone is fooled by whatever sounds beside speech. Four things tell speech from it, each seen in
spectra of 64 ms every 10 ms:

- Its pitch never stands still. A partial that has been there for 150 ms, or will be, within 6 dB, is held:
  mains hum and its harmonics, an organ, a chord. What is held is taken away; of speech less than 1.5 dB.
- It lies between 100 and 7000 Hz: below are offsets of the sound card, rumble, traffic and wind.
- It comes and goes. What stays as loud as in the recording's quietest stretches of 300 ms is background.
- Its partials glide, and consonants break them off. Where the fine structure of the spectrum is that of
  100 ms before or after for 1.5 s on end, however it swells and dies away, instruments are played.

Tools and sources: the held partials are those of harmonic-percussive separation (FitzGerald 2010; librosa's
`decompose.hpss`), with a minimum over either side instead of a median, so that beginnings and ends are sharp;
the background is minimum statistics (Martin 2001) of the whole instead of a moving window. librosa itself is
the tests' oracle: to import it costs seconds in a render (see CONTRIBUTING). Drums, melodies with vibrato, a
whole band, singing and voices in the background count as speech: to tell them apart takes a trained model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .audio import RATE
from .speech import Speech

# Relative to the level of the speech itself, in decibels of power: the gate opens above one and closes below
# the other, so that it does not flutter in between.
OPEN, CLOSE = -30.0, -40.0
# Quieter than this (dB below full scale) nothing is speech, however quiet the whole recording is.
FLOOR = -60.0
# Sounds that close the lips are short and quiet: the gate shuts late, and opens ahead of the audio.
HOLD = 0.20
AHEAD = 0.08
FADE = 0.08

_BLOCK = RATE // 100  # 10 ms
_READ = 100 * 60  # blocks read at a time: a minute
_WINDOW = 1024  # samples of a spectrum
_LOWEST, _HIGHEST = 100, 7000  # Hz
_HELD = 15  # blocks that a partial is held for at least
_STEADY = 10 ** (6 / 10)  # how far it may rise above its lowest meanwhile
_SMOOTH = 5  # blocks that are averaged
_NEAR = 5  # blocks around speech in the spectrum that the energy may call speech too
_SHORT = (
    15  # blocks: what is shorter in the spectrum, which blurs, with nothing around it, is a click or a stroke
)
_ALONE = 30  # blocks around it
_QUIET = 30  # blocks of a stretch that shows the background
_BRIEF = 50  # blocks: a word
_QUIETEST = 0.05  # share of such stretches that are background
# Where the speech is so many decibels above the background, the gate follows it, at so many decibels more.
_CLEAR, _OVER_OPEN, _OVER_CLOSE = 20.0, 5.0, 2.0
_MOST_OPEN, _MOST_CLOSE = -15.0, -18.0  # but speech of this level is speech in any background
_SUNG, _OVER_SUNG = -10.0, 6.0  # relative to the level of the speech, and to the background
# What loses more decibels when held partials are taken away is no speech, and what varies less is none
# either: the level of the speech above the quietest twentieth.
_TONAL, _LIVELY, _LEAST = -8.0, 7.0, 0.05
_ENOUGH = 200  # blocks that these two need: in a shorter recording one vowel may be all
# Instruments: r of the fine structure with that of so many blocks before or after, from which it is the same;
# bins (266 Hz) around which is the envelope, decibels below the highest bin that are heard, blocks that the
# stroke of a note may break it for, and for which it lasts. Of 318 s of people the longest such run has 16
# blocks, of voices without any melody 32, of sung ones 76.
_FINE = (200, 4000)  # Hz
_SAME, _APART, _ENVELOPE, _HEARD, _STROKE, _PLAYED = 0.9, 10, 17, 50.0, 4, 150


@dataclass(frozen=True)
class _Powers:
    """Decibels relative to full scale of every 10 ms, [blocks] float32: of all (``loud``), of the band of
    speech, and of what in it is not held; and how much the partials (``same``, -1..1) are those of before or
    after.
    """

    loud: Tensor
    band: Tensor
    free: Tensor
    same: Tensor


def speech_gate(speech: Speech, fps: float | Fraction, num_frames: int) -> Tensor:
    """The gate of every frame: 1 where there is speech, 0 in silence, a short fade in between.

    Args:
        speech: mono, 16 kHz.
        fps, num_frames: of the video.

    Returns:
        [num_frames] float32 in 0..1. Speech without any pause gives ones, a recording without speech zeros.
    """
    spoken = _spoken(_powers(speech))
    hold, ahead, fade = (round(100 * seconds) for seconds in (HOLD, AHEAD, FADE))
    widened = _dilated(spoken, ahead, hold).float()
    kernel = torch.ones(1, 1, 2 * fade + 1) / (2 * fade + 1)
    padded = F.pad(widened[None, None], (fade, fade), mode="replicate")
    # A mean over the widened gate: still 1 wherever the narrow one is, as the widening is at least the fade.
    smooth = F.conv1d(padded, kernel)[0, 0].clamp(0, 1)
    at = (torch.arange(num_frames, dtype=torch.float64) + 0.5) / float(fps) * 100
    inside = at.long() < len(smooth)
    return torch.where(inside, smooth[at.long().clamp(max=len(smooth) - 1)], torch.zeros(()))


def speech_notes(speech: Speech) -> list[str]:
    """What the user should know about a recording: whether there is any speech for the lips to follow."""
    powers = _powers(speech)
    if bool(_spoken(powers).any()):
        return []
    silent = float(powers.loud.max()) < FLOOR
    heard = "it is silent" if silent else "only noise, hum, tones, instruments or clicks"
    return [f"No speech was found in the recording ({heard}): the lips have nothing to follow."]


def _spoken(powers: _Powers) -> Tensor:
    """Which blocks are speech, [blocks] bool: as the energy says, where there is speech in the spectrum."""
    level, band, free = _level(powers.loud), _level(powers.band), _level(powers.free)
    background = _background(powers.free)
    if free - background < _LIVELY and len(powers.free) > 10 * _BRIEF:
        # The loudest tenth is background, or silent: of speech there is less than that, if any.
        background = max(FLOOR, min(background, free))
        brief = powers.free.topk(_BRIEF).indices
        levels = [float(power[brief].mean()) for power in (powers.loud, powers.band, powers.free)]
        if levels[2] - background > _CLEAR:
            level, band, free = levels
    lively = free - float(powers.free.kthvalue(max(1, round(_LEAST * len(powers.free)))).values)
    if len(powers.loud) >= _ENOUGH and (free - band < _TONAL or lively < _LIVELY):
        return torch.zeros_like(powers.loud, dtype=torch.bool)
    opens, closes = OPEN, CLOSE
    if free - background > _CLEAR:
        opens = min(max(OPEN, background + _OVER_OPEN - free), _MOST_OPEN)
        closes = min(max(CLOSE, background + _OVER_CLOSE - free), _MOST_CLOSE)
    energy = _hysteresis(powers.loud, level + OPEN, level + CLOSE)
    voiced = _hysteresis(powers.free, free + opens, free + closes)
    # A vowel may be held, too: by nobody but the speaker so loudly, unless it never stops.
    held = powers.band > max(band + _SUNG, _background(powers.band) + _OVER_SUNG, FLOOR)
    return energy & _dilated(_without_strokes((voiced | held) & ~_played(powers.same)), _NEAR, _NEAR)


def _powers(speech: Speech) -> _Powers:
    """The powers of a recording, read a minute at a time."""
    blocks = max(1, math.ceil(speech.samples / _BLOCK))
    around = _HELD + _SMOOTH  # neighbours that decide on a block
    parts = []
    for start in range(0, blocks, _READ):
        stop = min(start + _READ, blocks)
        first, last = start - around, stop + around
        margin = (_WINDOW - _BLOCK) // 2
        spectrum = _spectrum(_mirrored(speech, first * _BLOCK - margin, last * _BLOCK + margin))
        loud = speech.read(start * _BLOCK, stop * _BLOCK).reshape(-1, _BLOCK).square().mean(dim=1)
        parts.append(
            torch.stack([loud, *(row[around:-around] for row in (*_band(spectrum), _same(spectrum)))])
        )
    powers = torch.cat(parts, dim=1)
    loud, band, free = 10 * powers[:3].clamp(min=1e-12).log10()
    return _Powers(loud, band, free, powers[3])


def _mirrored(speech: Speech, start: int, stop: int) -> Tensor:
    """Samples that go on mirrored beyond both ends: an offset that began and ended there would sound."""
    inside = speech.read(max(0, start), min(speech.samples, stop))
    before, after = max(0, -start), max(0, stop - speech.samples)
    mode = "reflect" if max(before, after) < inside.numel() else "replicate"
    return (
        F.pad(inside[None, None], (before, after), mode=mode)[0, 0]
        if inside.numel()
        else torch.zeros(stop - start)
    )


def _spectrum(samples: Tensor) -> Tensor:
    """Power of the bins of the band of speech around every block, [blocks, bins]."""
    window = torch.hann_window(_WINDOW)
    frames = samples.unfold(0, _WINDOW, _BLOCK) * window
    bins = torch.arange(_WINDOW // 2 + 1) * (RATE / _WINDOW)
    inside = (bins >= _LOWEST) & (bins < _HIGHEST)
    return torch.fft.rfft(frames)[:, inside].abs().square() * (2 / (_WINDOW * window.square().sum()))


def _band(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Power around every block, all and what is not held."""
    lowest = -spectrum.T[None]
    before = -F.max_pool1d(F.pad(lowest, (_HELD, 0), value=-math.inf), _HELD + 1, 1)
    after = -F.max_pool1d(F.pad(lowest, (0, _HELD), value=-math.inf), _HELD + 1, 1)
    held = torch.maximum(before, after)[0].T
    both = torch.stack([spectrum.sum(dim=1), (spectrum - _STEADY * held).clamp(min=0).sum(dim=1)])
    smooth = F.avg_pool1d(F.pad(both[None], (_SMOOTH // 2, _SMOOTH // 2), mode="replicate"), _SMOOTH, 1)[0]
    return smooth[0], smooth[1]


def _same(spectrum: Tensor) -> Tensor:
    """How much the fine structure of every block is that of a little before or after, -1..1."""
    first, last = (round((hertz - _LOWEST) * _WINDOW / RATE) for hertz in _FINE)
    decibels = 10 * spectrum[:, first:last].clamp(min=1e-12).log10()
    decibels = torch.maximum(decibels, decibels.amax(dim=1, keepdim=True) - _HEARD)
    envelope = F.avg_pool1d(decibels[:, None], _ENVELOPE, 1, _ENVELOPE // 2, count_include_pad=False)[:, 0]
    fine = decibels - envelope
    fine = fine - fine.mean(dim=1, keepdim=True)
    fine = fine / fine.norm(dim=1, keepdim=True).clamp(min=1e-3)
    same = (fine[:-_APART] * fine[_APART:]).sum(dim=1)
    return torch.maximum(F.pad(same, (_APART, 0), value=-1), F.pad(same, (0, _APART), value=-1))


def _played(same: Tensor) -> Tensor:
    """Which blocks are instruments: the same for long, but for the strokes of notes."""
    other = (same <= _SAME).float()[None, None]
    longer = -F.max_pool1d(F.pad(-other, (_STROKE, 0), value=0), _STROKE + 1, 1)  # so were those before
    broken = F.max_pool1d(F.pad(longer, (0, _STROKE)), _STROKE + 1, 1)  # all of a break that is no stroke
    before = F.pad(-(1 - broken), (_PLAYED - 1, 0), value=0)
    long_enough = -F.max_pool1d(before, _PLAYED, 1)[0, 0] > 0
    return _dilated(long_enough, _PLAYED - 1, 0)


def _level(loud: Tensor) -> float:
    """The level of the speech: the mean of the loudest tenth, which pauses do not change much."""
    return float(loud.topk(max(1, len(loud) // 10)).values.mean())


def _background(loud: Tensor) -> float:
    """What stays on in pauses that are not silent: how loud a recording's quietest stretches get."""
    stretch = min(_QUIET, len(loud))
    peaks = F.max_pool1d(loud[None, None], stretch, 1)[0, 0]
    heard = peaks[peaks > FLOOR]
    if len(heard) == 0:
        return FLOOR
    return float(heard.kthvalue(max(1, round(_QUIETEST * len(heard)))).values)


def _hysteresis(loud: Tensor, opens: float, closes: float) -> Tensor:
    opened = loud > max(opens, FLOOR)
    closed = loud < max(closes, FLOOR)
    # Between the two thresholds a block keeps the state of the last one that was beyond either.
    state = torch.where(opened, 1, torch.where(closed, 0, -1))
    index = torch.arange(len(state))
    last = torch.where(state >= 0, index, -1).cummax(dim=0).values
    return torch.where(last >= 0, state[last.clamp(min=0)] == 1, False)


def _dilated(spoken: Tensor, ahead: int, hold: int) -> Tensor:
    """True also ``ahead`` blocks before and ``hold`` blocks after each True."""
    padded = F.pad(spoken.float()[None, None], (hold, ahead))
    return F.max_pool1d(padded, hold + ahead + 1, stride=1)[0, 0] > 0


def _without_strokes(spoken: Tensor) -> Tensor:
    """Without short sounds that have nothing around them: a consonant has its vowel beside it, a click and
    the stroke of a chord have not.
    """
    before = F.pad(-spoken.float()[None, None], (_SHORT - 1, 0))
    long_enough = F.max_pool1d(before, _SHORT, stride=1)[0, 0] < 0  # spoken, and so were those before
    return spoken & _dilated(long_enough, _SHORT - 1 + _ALONE, _ALONE)


def fade_to_silence(tokens: Tensor, gate: Tensor, quiet: Tensor) -> Tensor:
    """Tokens [n, N, D] that fade to those of silence, ``quiet`` [N, D], where ``gate`` [n] closes."""
    quiet = quiet.to(tokens)
    return quiet + gate.to(tokens)[:, None, None] * (tokens - quiet)


def silence_tokens(encoder: Any) -> Tensor:
    """What an audio encoder gives for a frame in the middle of silence, [N, D]."""
    tokens: Tensor = encoder.encode_speech(torch.zeros(RATE), 25, 25)[12]
    return tokens
