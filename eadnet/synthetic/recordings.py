"""What a synthetic person says in one clip: sentences, a voice, a stretch of the sound, a room around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .augment import augment
from .captions import Description
from .sentences import SPLITS, sentence
from .speakers import DrawnSpeaker, draw_speaker
from .speech import FOREIGN_VOICES, SAMPLE_RATE, VOICES_BY_SPLIT, Phoneme, Utterance, manner_of, speak
from .voice_emotion import Prosody, prosody

FPS = 25
FOREIGN_SHARE = 0.2
_SILENT_EDGE_SHARE = 0.12
_SECONDS_PER_SENTENCE = 2.4
_DRAWS = 4  # speakers that are tried before the own one must do
_SAME_MOMENT = 0.02  # seconds by which a sound may move and still belong to the same mouth

Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """`waveform` (as recorded) and `clean` float32 [T * 640] at 16 kHz; `phonemes` with times from the start
    of the clip, some before and behind it.
    """

    waveform: Waveform
    clean: Waveform
    phonemes: tuple[Phoneme, ...]
    text: str
    voice: str


@dataclass(frozen=True)
class _Words:
    """What is said, in which voice and manner."""

    text: str
    voice: str
    style: Prosody

    def said(self, speaker: DrawnSpeaker | None = None) -> Utterance:
        style = self.style
        return speak(
            self.text, self.voice, style.rate, style.pitch, pitch_range=style.pitch_range, speaker=speaker
        )


def stream(seed: int, split: str, number: int) -> np.random.Generator:
    """One of the independent random streams of a clip."""
    return np.random.default_rng([SPLITS.index(split), number, seed])


_VOICES, _ROOM, _OTHERS = 2, 4, 5


def record(
    seed: int,
    split: str,
    description: Description,
    num_frames: int,
    *,
    foreign: float = FOREIGN_SHARE,
    speaker: DrawnSpeaker | None = None,
) -> Recording:
    """The recording of a seed; a share of `foreign` is in another language than English. A drawn `speaker`
    takes the place of the split's.
    """
    voices = stream(seed, split, _VOICES)
    words = _choose(voices, split, description, num_frames / FPS, foreign)
    utterance = words.said(speaker)
    first = _first_frame(utterance, num_frames, voices)
    clean = _cut(utterance.waveform, first, num_frames)
    room = stream(seed, split, _ROOM)
    phonemes = _shift(utterance.phonemes, first, num_frames)
    return Recording(augment(clean, room), clean, phonemes, utterance.text, utterance.voice)


def other_voices(
    seed: int, split: str, description: Description, num_frames: int, count: int
) -> Sequence[Waveform]:
    """The recording of a seed by `count` drawn speakers, each in another room, with the same mouth.

    They talk in the manner of the recording's own speaker, so sounds begin at the same time, to a fiftieth of
    a second; where none is found who does, it is the own speaker in another room.
    """
    voices, others = stream(seed, split, _VOICES), stream(seed, split, _OTHERS)
    words = _choose(voices, split, description, num_frames / FPS, FOREIGN_SHARE)
    own = words.said()
    first = _first_frame(own, num_frames, voices)
    return [
        augment(_cut(_said_by_another(words, own, others).waveform, first, num_frames), others)
        for _ in range(count)
    ]


def _said_by_another(words: _Words, own: Utterance, rng: np.random.Generator) -> Utterance:
    for _ in range(_DRAWS):
        other = words.said(draw_speaker(rng, manner_of(words.voice)))
        if _same_moments(own, other):
            return other
    return own


def _same_moments(one: Utterance, other: Utterance) -> bool:
    pairs = zip(one.phonemes, other.phonemes, strict=False)
    return len(one.phonemes) == len(other.phonemes) and all(
        a.name == b.name and abs(a.start - b.start) <= _SAME_MOMENT for a, b in pairs
    )


def _choose(
    rng: np.random.Generator, split: str, description: Description, seconds: float, foreign: float
) -> _Words:
    """Words for an utterance at least about as long as the clip."""
    language = "en"
    voices = VOICES_BY_SPLIT[split]
    if rng.random() < foreign:
        languages = FOREIGN_VOICES[split]
        language = list(languages)[int(rng.integers(len(languages)))]
        voices = languages[language]
    voice = voices[int(rng.integers(len(voices)))]
    count = max(1, round(seconds / _SECONDS_PER_SENTENCE + 0.5))
    text = " ".join(sentence(rng, split, language) for _ in range(count))
    return _Words(text, voice, prosody({description.emotion: description.intensity}, rng))


def _first_frame(utterance: Utterance, num_frames: int, rng: np.random.Generator) -> int:
    """Where the clip begins within the utterance; now and then in the silence before it."""
    total = len(utterance.waveform) * FPS // SAMPLE_RATE
    if rng.random() < _SILENT_EDGE_SHARE:
        return -int(rng.integers(1, min(12, num_frames) + 1))
    return int(rng.integers(0, max(1, total - num_frames + 1)))


def _cut(waveform: Waveform, first: int, num_frames: int) -> Waveform:
    step = SAMPLE_RATE // FPS
    cut = np.zeros(num_frames * step, np.float32)
    start = first * step
    piece = waveform[max(start, 0) : max(start + len(cut), 0)]
    offset = max(-start, 0)
    cut[offset : offset + len(piece)] = piece
    return cut


def _shift(phonemes: tuple[Phoneme, ...], first: int, num_frames: int) -> tuple[Phoneme, ...]:
    """Phonemes with times from the first frame; neighbours a little outside are kept, for their
    coarticulation.
    """
    start, end = first / FPS, (first + num_frames) / FPS
    near = (p for p in phonemes if p.end > start - 0.5 and p.start < end + 0.5)
    return tuple(Phoneme(p.name, p.start - start, p.end - start, p.stress) for p in near)
