"""Hours of talk in files: drawn, Piper's and Kokoro's voices with their phonemes, and the mouths that say it.

A shard (.npz) holds some dozens of utterances; mouths are not kept but made when a shard is read, so better
targets (`visemes`) need no new voices. Utterances are clean: rooms, noise and bands are added when they are
used.

    python -m eadnet.synthetic.talk FOLDER --source piper --count 2000
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..printable import get_logger
from .natural import Kokoro, PiperVoice
from .sentences import sentence
from .speakers import draw_speaker
from .speech import FOREIGN_VOICES, SAMPLE_RATE, VOICES_BY_SPLIT, Phoneme, Utterance, speak
from .visemes import mouth_track

SOURCES = ("espeak", "piper", "kokoro")
PER_SHARD = 40
FPS = 25

_HELD_OUT_STYLE = "jf_tebukuro"
_HELD_OUT_SHARE = 0.06
_ACCENTS = ("es", "fr", "it", "pt", "de")  # read by Kokoro's Japanese speakers and Piper's American
_ACCENT_SHARE = 0.2
_LONGEST = 7.0  # seconds

_log = get_logger(__name__)


@dataclass(frozen=True)
class Talk:
    """`waveform` float32 [S] at 16 kHz, clean; `split` "train", or "speakers" or "sentences" for speakers or
    sentences that training does not hear.
    """

    waveform: NDArray[np.float32]
    phonemes: tuple[Phoneme, ...]
    text: str
    language: str
    source: str
    speaker: str
    split: str

    def mouth(self) -> NDArray[np.float32]:
        """The columns `visemes.MOUTH` at 25 frames a second, [T, 9]."""
        return mouth_track(self.phonemes, len(self.waveform) * FPS // SAMPLE_RATE, FPS)


def espeak_talk(rng: np.random.Generator) -> Talk:
    """A drawn speaker, or one of espeak-ng's, in any of its languages."""
    split = _split(rng, speakers=True)
    group = "test" if split == "speakers" else "train"
    language = "en" if rng.random() < 0.6 else str(rng.choice(list(FOREIGN_VOICES[group])))
    voices = VOICES_BY_SPLIT[group] if language == "en" else FOREIGN_VOICES[group][language]
    voice = str(rng.choice(voices))
    drawn = draw_speaker(rng) if group == "train" and rng.random() < 0.7 else None
    said = speak(
        _words(rng, split, language),
        voice,
        int(rng.integers(120, 230)),
        int(rng.integers(10, 90)),
        pitch_range=int(rng.integers(20, 90)),
        speaker=drawn,
    )
    return _talk(said, language, "espeak", "drawn" if drawn else voice, split)


def piper_talk(rng: np.random.Generator, voice: PiperVoice) -> Talk:
    """The Piper voice as a taller, shorter, quicker, livelier speaker."""
    split = _split(rng, speakers=False)
    changed = PiperVoice(
        voice.graph,
        voice.ids,
        tract=float(rng.uniform(0.85, 1.4)),
        pace=float(np.exp(rng.uniform(np.log(0.75), np.log(1.35)))),
        liveliness=float(rng.uniform(0.5, 1.1)),
    )
    language = "en-us"
    return _talk(changed.say(_words(rng, split, "en"), language), "en", "piper", "piper-joe", split)


def kokoro_talk(rng: np.random.Generator, kokoro: Kokoro) -> Talk:
    """One of Kokoro's speakers or a mixture, in English or with an accent; one speaker is held out."""
    split = _split(rng, speakers=True)
    settings = {"speed": float(rng.uniform(0.85, 1.3)), "tract": float(rng.uniform(0.78, 1.15))}
    heard = [name for name in kokoro.styles if name != _HELD_OUT_STYLE]
    if split == "speakers":
        voice = kokoro.voice(_HELD_OUT_STYLE, **settings)
    else:
        voice = kokoro.mixed(rng, heard, **settings)
    accent = str(rng.choice(_ACCENTS)) if rng.random() < _ACCENT_SHARE else "en-us"
    language = accent[:2]
    return _talk(voice.say(_words(rng, split, language), accent), language, "kokoro", voice.name, split)


def _split(rng: np.random.Generator, speakers: bool) -> str:
    draw = rng.random()
    if speakers and draw < _HELD_OUT_SHARE:
        return "speakers"
    return "sentences" if draw > 1 - _HELD_OUT_SHARE else "train"


def _words(rng: np.random.Generator, split: str, language: str) -> str:
    """One or two sentences; those of held-out speakers are the training's, so that only the voice is new."""
    own = "test" if split == "sentences" else "train"
    words = sentence(rng, own, language)
    return words if len(words) > 40 else f"{words} {sentence(rng, own, language)}"


def _talk(said: Utterance, language: str, source: str, speaker: str, split: str) -> Talk:
    samples = min(len(said.waveform), int(_LONGEST * SAMPLE_RATE))
    samples -= samples % (SAMPLE_RATE // FPS)
    phonemes = tuple(p for p in said.phonemes if p.start < samples / SAMPLE_RATE)
    return Talk(said.waveform[:samples], phonemes, said.text, language, source, speaker, split)


def write_shard(path: Path, talks: Sequence[Talk]) -> None:
    """Write utterances; a file of that name appears only when it is whole."""
    known = [
        {
            "phonemes": [[p.name, round(p.start, 4), round(p.end, 4), p.stress] for p in talk.phonemes],
            **{name: getattr(talk, name) for name in ("text", "language", "source", "speaker", "split")},
        }
        for talk in talks
    ]
    waves = [np.round(np.clip(talk.waveform, -1, 1) * 32767).astype(np.int16) for talk in talks]
    unfinished = path.with_name(path.name + ".part.npz")
    np.savez(
        unfinished,
        audio=np.concatenate(waves),
        ends=np.cumsum([len(wave) for wave in waves]),
        known=np.array(json.dumps(known, ensure_ascii=False)),
    )
    unfinished.rename(path)


def read_shards(folder: Path, split: str | None = None, source: str | None = None) -> Iterator[Talk]:
    """The utterances of all shards of a folder, or those of a split or a source.

    Raises InputError where there is no shard.
    """
    shards = sorted(path for path in folder.glob("*.npz") if not path.name.endswith(".part.npz"))
    if not shards:
        raise InputError(f"There is no talk in {folder}: make some with python -m eadnet.synthetic.talk.")
    for path in shards:
        with np.load(path) as arrays:
            audio, ends, known = arrays["audio"], arrays["ends"], json.loads(str(arrays["known"]))
        for start, end, about in zip([0, *ends[:-1]], ends, known, strict=True):
            if split in (None, about["split"]) and source in (None, about["source"]):
                phonemes = tuple(Phoneme(*row) for row in about.pop("phonemes"))
                yield Talk(audio[start:end].astype(np.float32) / 32767, phonemes, **about)


def make_talk(folder: Path, source: str, count: int, first: int = 0) -> None:
    """Write ``count`` utterances of a source, from seed ``first`` on; shards that are there are kept.

    Raises InputError for an unknown source or missing packages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw = _drawer(source)
    for start in range(first, first + count, PER_SHARD):
        path = folder / f"{source}_{start:06d}.npz"
        if not path.exists():
            seeds = range(start, min(start + PER_SHARD, first + count))
            write_shard(path, [draw(np.random.default_rng([SOURCES.index(source), seed])) for seed in seeds])
            _log.info("%s", path.name)


def _drawer(source: str) -> Callable[[np.random.Generator], Talk]:
    if source == "espeak":
        return espeak_talk
    if source == "piper":
        voice = PiperVoice.load()
        return lambda rng: piper_talk(rng, voice)
    if source == "kokoro":
        kokoro = Kokoro.load()
        return lambda rng: kokoro_talk(rng, kokoro)
    raise InputError(f"There is no source of talk '{source}': use {', '.join(SOURCES)}.")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eadnet.synthetic.talk", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", choices=SOURCES, default="espeak")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    make_talk(options.folder, options.source, options.count, options.first)


if __name__ == "__main__":
    main()
