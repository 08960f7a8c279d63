"""From phonemes to the moving mouth: dominance functions after Cohen and Massaro (1993).

Every sound s has, for every mouth parameter p, a target T_sp and a dominance that is greatest during the
sound and decays around it, D_sp(t) = a_sp exp(-d_s(t) / tau_s), d_s(t) being the distance to the sound's
core. The parameter is the dominance-weighted mean F_p(t) = sum_s D_sp(t) T_sp / sum_s D_sp(t) ("Modeling
Coarticulation in Synthetic Visual Speech", equations 1-5). Anticipation lasts longer than carry-over, which
is why lips move before the sound. The shape of the lips and the tongue is a reconstruction from phonetics
(rounding and spreading; place of articulation); how far the mouth opens for each sound, how much a sound
insists on it, and how early, is measured on people (`openness`). Two things that dominance alone does not
ensure are added: bilabials close completely, and speech opens the mouth less where sounds are unstressed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .openness import AFTER, BEFORE, LEAD, OPENNESS, SOUNDS, Openness
from .speech import PAUSE, Phoneme

MOUTH: tuple[str, ...] = (
    "jaw_open",
    "lip_close",
    "lip_pucker",
    "lip_funnel",
    "lip_stretch",
    "upper_lip_raise",
    "lower_lip_depress",
    "lip_bite",
    "tongue_up",
)
"""The mouth parameters of a track, each 0..1; names of `expression.PARAMETERS`."""

_JAW, _CLOSE, _BITE, _TONGUE = (MOUTH.index(n) for n in ("jaw_open", "lip_close", "lip_bite", "tongue_up"))
_OPENERS = [MOUTH.index(n) for n in ("jaw_open", "upper_lip_raise", "lower_lip_depress")]
_APART = np.zeros(len(MOUTH))
_APART[[MOUTH.index(n) for n in ("jaw_open", "upper_lip_raise", "lower_lip_depress", "lip_funnel")]] = (
    0.395,
    0.105,
    0.045,
    0.100,
)
"""How far each parameter at 1 parts the inner lips, in distances of the eyes' centres, measured on the
rig.
"""
_LIPS = [MOUTH.index(n) for n in ("lip_pucker", "lip_funnel", "lip_stretch", "lip_bite")]

BILABIALS = frozenset("pbm")
"""The IPA letters that shut the lips."""

CLOSING, OPENING = 0.055, 0.04
"""Seconds in which the lips come together before, and part after, a bilabial."""

_REACH_EDGE = 0.03
_ANTICIPATION = 0.75
_PAUSE_FULL = 0.12
_PAUSE_REACH = 0.035
_LONG_PAUSE = 0.6  # seconds: in a shorter one people keep the mouth as it is, more or less
_STRESS = (0.93, 1.0, 1.05)


@dataclass(frozen=True)
class _Shape:
    """Targets of one sound, how strongly it insists on its openness and its lip shape, and its reach in
    seconds."""

    targets: tuple[float, ...]
    openness: float = 1.0
    lips: float = 1.0
    tip: float = 1.0
    reach: float = 0.045


def _shape(
    jaw: float = 0.0,
    close: float = 0.0,
    pucker: float = 0.0,
    funnel: float = 0.0,
    stretch: float = 0.0,
    upper: float = 0.0,
    lower: float = 0.0,
    bite: float = 0.0,
    tongue: float = 0.0,
    **weights: float,
) -> _Shape:
    return _Shape((jaw, close, pucker, funnel, stretch, upper, lower, bite, tongue), **weights)


_VOWEL = {"openness": 1.0, "lips": 0.9, "tip": 0.6, "reach": 0.055}
_SHAPES: dict[str, _Shape] = {}


def _add(symbols: str, shape: _Shape) -> None:
    _SHAPES.update(dict.fromkeys(symbols, shape))


# Vowels: the jaw follows height, pucker and funnel follow rounding, stretch follows spreading.
_add("i", _shape(0.16, stretch=0.75, upper=0.22, lower=0.32, tongue=0.35, **_VOWEL))
_add("ɪɨ", _shape(0.27, stretch=0.45, upper=0.18, lower=0.28, tongue=0.25, **_VOWEL))
_add("yʏ", _shape(0.14, pucker=0.85, funnel=0.25, tongue=0.3, **_VOWEL))
_add("uʉ", _shape(0.14, pucker=0.95, funnel=0.2, **_VOWEL))
_add("ʊɯ", _shape(0.24, pucker=0.6, funnel=0.25, **_VOWEL))
_add("e", _shape(0.36, stretch=0.55, upper=0.2, lower=0.3, tongue=0.2, **_VOWEL))
_add("øɵ", _shape(0.33, pucker=0.6, funnel=0.45, **_VOWEL))
_add("oɤ", _shape(0.4, pucker=0.6, funnel=0.5, **_VOWEL))
_add("əɘɚ", _shape(0.32, stretch=0.1, upper=0.1, lower=0.15, **{**_VOWEL, "openness": 0.7, "lips": 0.4}))
_add("ɜɝɞ", _shape(0.42, pucker=0.2, funnel=0.3, lower=0.15, **_VOWEL))
_add("ɛ", _shape(0.58, stretch=0.38, upper=0.22, lower=0.32, tongue=0.1, **_VOWEL))
_add("œ", _shape(0.5, pucker=0.3, funnel=0.6, **_VOWEL))
_add("ɔɒ", _shape(0.72, pucker=0.22, funnel=0.62, **_VOWEL))
_add("ʌɐ", _shape(0.62, stretch=0.1, upper=0.15, lower=0.22, **_VOWEL))
_add("æ", _shape(0.8, stretch=0.45, upper=0.3, lower=0.4, **_VOWEL))
_add("aäɑ", _shape(0.95, stretch=0.12, upper=0.2, lower=0.35, **_VOWEL))

# Consonants that own the lips.
_add("pbm", _shape(0.05, close=1.0, openness=5.0, lips=0.8, tip=0.2, reach=0.03))
_add("βɸ", _shape(0.12, close=0.7, openness=2.5, lips=0.6, tip=0.2, reach=0.03))
_add("fvɱ", _shape(0.1, bite=1.0, upper=0.25, openness=3.0, lips=4.0, tip=0.2, reach=0.032))
_add("ʋ", _shape(0.15, bite=0.6, upper=0.2, openness=2.0, lips=2.0, tip=0.2, reach=0.032))
_add("wʍɥ", _shape(0.1, pucker=1.0, funnel=0.2, openness=2.0, lips=3.0, tip=0.2, reach=0.045))
_add(
    "ʃʒɕʑʂʐ", _shape(0.12, pucker=0.3, funnel=0.85, upper=0.2, lower=0.3, openness=2.0, lips=2.0, reach=0.04)
)
_add("ɹɻ", _shape(0.2, pucker=0.45, funnel=0.35, tongue=0.35, openness=1.2, lips=1.2, reach=0.04))
# Consonants of the tongue: the lips mostly go along with the vowels around them.
_add("sz", _shape(0.06, stretch=0.35, upper=0.15, lower=0.3, tongue=0.4, openness=2.2, lips=0.7, reach=0.035))
_add("td", _shape(0.14, stretch=0.2, lower=0.2, tongue=0.9, openness=1.4, lips=0.4, reach=0.03))
_add("nlɫɾɺʎɲ", _shape(0.22, stretch=0.15, lower=0.2, tongue=0.9, openness=0.9, lips=0.35, reach=0.035))
_add("θð", _shape(0.2, stretch=0.15, upper=0.1, lower=0.25, tongue=0.75, openness=1.5, lips=0.6, reach=0.035))
_add("jçʝ", _shape(0.17, stretch=0.55, upper=0.15, lower=0.2, tongue=0.4, openness=1.2, lips=0.9, reach=0.04))
_add("rʀ", _shape(0.25, lower=0.15, tongue=0.6, openness=0.7, lips=0.3, reach=0.035))
_add("kgɡŋxɣqɢχʁcɟɴ", _shape(0.26, lower=0.1, openness=0.7, lips=0.25, reach=0.035))
_add("hɦħʕʔ", _shape(0.3, openness=0.2, lips=0.1, tip=0.2, reach=0.03))

_UNKNOWN = _SHAPES["ə"]


@dataclass(frozen=True)
class Articulation:
    """A stretch of time that one IPA letter, or silence, has."""

    start: float
    end: float
    symbol: str
    stress: int


def mouth_track(
    phonemes: Sequence[Phoneme],
    num_frames: int,
    fps: float = 25.0,
    apart: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """The mouth at the centre (i + 1/2) / fps of every frame: float32 [num_frames, len(MOUTH)] in 0..1.

    Silence is a closed mouth at rest (all zero); so is everything before the first and after the last
    phoneme. ``apart`` [num_frames] is how far the lips are apart in distances of the eyes' centres, where
    somebody heard it; else it is `openness`. Lips and tongue, closures and rests are the phonemes' in any
    case.
    """
    times = ((np.arange(num_frames) + 0.5) / fps).astype(np.float64)
    segments = articulations(phonemes)
    track = _dominance_mean(segments, times)
    if apart is None:
        apart = openness(segments, times)
    else:
        apart = np.maximum(apart, 0.0) * (1.0 - _rest(segments, times))
    _open(track, apart)
    _close_bilabials(track, segments, times)
    return np.clip(track, 0.0, 1.0).astype(np.float32)


def articulations(phonemes: Sequence[Phoneme]) -> list[Articulation]:
    """One segment per articulation: affricates and diphthongs move, so they are split evenly.

    Before the first sound and after the last one lies a long silence.
    """
    sounds = [p for p in phonemes if p.name != PAUSE]
    first, last = min((p.start for p in sounds), default=0.0), max((p.end for p in sounds), default=0.0)
    segments = [Articulation(-10.0, first, PAUSE, 0)]
    for phoneme in (p for p in phonemes if first <= p.start and p.end <= last):
        symbols = _symbols(phoneme.name)
        step = (phoneme.end - phoneme.start) / len(symbols)
        for index, symbol in enumerate(symbols):
            start = phoneme.start + index * step
            segments.append(Articulation(start, start + step, symbol, phoneme.stress))
    segments.append(Articulation(last, last + 10.0, PAUSE, 0))
    return segments


def _symbols(name: str) -> str:
    """The base letters of an IPA name: no lengths, stresses or diacritics."""
    if name == PAUSE:
        return PAUSE
    composed = unicodedata.normalize("NFC", name)
    letters = (c if c in _SHAPES else unicodedata.normalize("NFD", c)[0] for c in composed)
    kept = "".join(c for c in letters if c in _SHAPES or unicodedata.category(c) in ("Ll", "Lo"))
    return kept or "ə"


def opening_of(track: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far the inner lips of a rigged face are apart, in distances of the eyes' centres: [..., 9] ->
    [...].
    """
    return (track @ _APART) * (1.0 - track[..., _CLOSE])


def textbook() -> tuple[list[float], list[float]]:
    """How far apart, and with which weight, phonetics alone puts the lips for each of `openness.SOUNDS`."""
    shapes = [None if letters == PAUSE else _SHAPES[letters[0]] for letters in SOUNDS]
    apart = [0.0 if s is None else float(opening_of(np.array(s.targets))) for s in shapes]
    return apart, [1.0 if s is None else s.openness for s in shapes]


def openness(segments: Sequence[Articulation], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the lips are apart, as people do: [T], in distances of the eyes' centres.

    As `_dominance_mean`, but a sound's dominance is its kernel exp(-|t| / tau) integrated over its
    duration, so that long sounds count more, as they do in what `openness` was measured by.
    """
    targets = np.array([_openness_of(s).apart * _STRESS[s.stress] for s in segments])
    return targets @ _shares(segments, times)


def _rest(segments: Sequence[Articulation], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of every moment belongs to long silences, 0..1."""
    return np.array([float(_is_rest(s)) for s in segments]) @ _shares(segments, times)


def _shares(segments: Sequence[Articulation], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each segment has to say about the openness of every moment: [N, T], columns add up to 1."""
    measured = [_openness_of(s) for s in segments]
    start = np.array([s.start for s in segments])[:, None]
    end = np.array([s.end for s in segments])[:, None]
    weight = np.array([m.weight for m in measured])[:, None]
    lead = times + LEAD
    dominance = weight * (_up_to(lead - start) - _up_to(lead - end)) + 1e-9
    return dominance / dominance.sum(0)


def _up_to(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The integral up to x of a kernel of unit area that rises over `BEFORE`, falls over `AFTER` seconds."""
    rising = BEFORE * np.exp(np.minimum(x, 0.0) / BEFORE)
    falling = AFTER * (1.0 - np.exp(-np.maximum(x, 0.0) / AFTER))
    return (rising + falling) / (BEFORE + AFTER)


def _is_rest(segment: Articulation) -> bool:
    return segment.symbol == PAUSE and segment.end - segment.start > _LONG_PAUSE


def _openness_of(segment: Articulation) -> Openness:
    if _is_rest(segment):
        return OPENNESS["rest"]
    return OPENNESS[segment.symbol if segment.symbol in OPENNESS else "ə"]


def _open(track: NDArray[np.float64], apart: NDArray[np.floating]) -> None:
    """In place: the jaw brings the lips as far apart as asked; where it need not open, the lips part less."""
    lips = track.copy()
    lips[:, _JAW] = 0.0
    parted = lips @ _APART
    share = np.minimum(1.0, apart / np.maximum(parted, 1e-9))
    for parameter in (*_OPENERS[1:], MOUTH.index("lip_funnel")):
        track[:, parameter] *= share
    track[:, _JAW] = np.maximum(apart - parted, 0.0) / _APART[_JAW]


def _of(segment: Articulation) -> _Shape:
    return _SHAPES.get(segment.symbol, _UNKNOWN)


def _dominance_mean(segments: list[Articulation], times: NDArray[np.float64]) -> NDArray[np.float64]:
    targets = np.stack([_targets(s) for s in segments])
    weights = np.stack([_weights(s) for s in segments])
    start = np.array([s.start for s in segments])[:, None]
    end = np.array([s.end for s in segments])[:, None]
    reach = np.array([_PAUSE_REACH if s.symbol == PAUSE else _of(s).reach for s in segments])[:, None]
    edge = np.minimum((end - start) * 0.35, _REACH_EDGE)
    before = np.maximum(start + edge - times, 0.0) * _ANTICIPATION
    after = np.maximum(times - (end - edge), 0.0)
    dominance = np.exp(-(before + after) / reach)  # [N, T]
    weighted = np.einsum("nt,np->ntp", dominance, weights)
    return np.einsum("ntp,np->tp", weighted, targets) / np.maximum(weighted.sum(0), 1e-9)


def _targets(segment: Articulation) -> NDArray[np.float64]:
    if segment.symbol == PAUSE:
        return np.zeros(len(MOUTH))
    targets = np.array(_of(segment).targets)
    return targets


def _weights(segment: Articulation) -> NDArray[np.float64]:
    """Dominance magnitudes a_sp per parameter; a short break in the voice hardly closes the mouth."""
    weights = np.empty(len(MOUTH))
    if segment.symbol == PAUSE:
        weights[:] = 2.5 * min(1.0, (segment.end - segment.start) / _PAUSE_FULL) ** 2 + 1e-3
        return weights
    shape = _of(segment)
    weights[[*_OPENERS, _CLOSE]] = shape.openness
    weights[_LIPS] = shape.lips
    weights[_TONGUE] = shape.tip
    return weights


def _close_bilabials(
    track: NDArray[np.float64], segments: list[Articulation], times: NDArray[np.float64]
) -> None:
    """In place: p, b and m shut the lips from their beginning to their end, easing in and out (others
    partly).

    A bilabial of 40 ms or more holds at least one frame centre at 25 frames/s, so it is always seen to
    close.
    """
    closure = np.zeros_like(times)
    for segment in segments:
        degree = 0.0 if segment.symbol == PAUSE else _of(segment).targets[_CLOSE]
        if degree:
            before = np.maximum(segment.start - times, 0.0) / CLOSING
            after = np.maximum(times - segment.end, 0.0) / OPENING
            ramp = np.clip(1.0 - before - after, 0.0, 1.0)
            closure = np.maximum(closure, degree * ramp * ramp * (3.0 - 2.0 * ramp))
    track[:, _CLOSE] = closure
    for parameter in (*_OPENERS, _BITE):
        track[:, parameter] *= 1.0 - closure
