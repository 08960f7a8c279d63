"""Speech with exactly known phoneme times, from espeak-ng through its C interface.

The library comes with the `espeakng_loader` package, so nothing is installed system-wide. espeak-ng keeps
global state (a flutter table, a noise generator) that survives even `espeak_Terminate`, so the same
sentence said twice differs; its noise is seeded with the time of day. Every utterance here is therefore
made by a freshly loaded copy of the library with a fixed seed, which costs about a millisecond and makes
the waveform a function of its arguments alone.

Interface facts used: `espeak_Initialize` option bits 1 (phoneme events), 2 (IPA names) and 0x8000 (never
exit the process); event type 7 (a phoneme begins at `sample`).
"""

from __future__ import annotations

import ctypes
import difflib
import math
import os
import shutil
import tempfile
import threading
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..errors import InputError
from .speakers import DrawnSpeaker

SAMPLE_RATE = 16_000
PAUSE = "_"
"""Name of the phoneme that stands for silence."""

RATES = (80, 350)
PITCHES = (0, 99)

_ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029", "en-us-nyc")
_LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "cmn", "ja")
# Speakers are espeak variants: vocal tracts, pitches and glottal sources. Each belongs to one split.
_SPEAKERS = {
    "train": (
        "f1",
        "f2",
        "f4",
        "m1",
        "m2",
        "m3",
        "m5",
        "m7",
        "Alex",
        "Andrea",
        "Andy",
        "Annie",
        "Denis",
        "Gene",
        "Hugo",
        "Lee",
        "Marco",
        "Michael",
        "aunty",
        "belinda",
        "david",
        "grandma",
        "linda",
        "paul",
        "steph2",
        "victor",
    ),
    "validation": ("f3", "m4", "m6", "Alicia", "edward", "steph"),
    "test": ("f5", "m8", "Mike", "anika", "adam", "shelby"),
}


def _voices(split: str) -> tuple[str, ...]:
    """Every speaker of a split in two English accents, dealt out in turn."""
    pairs = []
    for index, speaker in enumerate(_SPEAKERS[split]):
        for step in (0, 3):
            pairs.append(f"{_ACCENTS[(2 * index + step) % len(_ACCENTS)]}+{speaker}")
    return tuple(pairs)


def _foreign_voices(split: str) -> dict[str, tuple[str, ...]]:
    return {language: tuple(f"{language}+{s}" for s in _SPEAKERS[split]) for language in _LANGUAGES}


VOICES_BY_SPLIT: dict[str, tuple[str, ...]] = {split: _voices(split) for split in _SPEAKERS}
"""English voices of each split; no speaker is heard in two splits."""
FOREIGN_VOICES: dict[str, dict[str, tuple[str, ...]]] = {split: _foreign_voices(split) for split in _SPEAKERS}
"""Voices of each split by other language, from the same speakers."""
VOICES: tuple[str, ...] = tuple(voice for voices in VOICES_BY_SPLIT.values() for voice in voices)

# Names people try first, and the names espeak-ng gives them.
_ALIASES = {"en-gb": "en", "en-uk": "en", "zh": "cmn"}


@dataclass(frozen=True)
class Phoneme:
    """One sound: IPA `name` (`PAUSE` for silence), `start` and `end` in seconds, `stress` 0, 1 or 2
    (primary)."""

    name: str
    start: float
    end: float
    stress: int = 0


@dataclass(frozen=True)
class Utterance:
    """Speech: `waveform` float32 [S] at 16 kHz in [-1, 1], and the sounds it is made of."""

    waveform: NDArray[np.float32]
    phonemes: tuple[Phoneme, ...]
    text: str
    voice: str


def speak(
    text: str,
    voice: str = "en-us",
    rate: int = 165,
    pitch: int = 50,
    *,
    pitch_range: int = 50,
    speaker: DrawnSpeaker | None = None,
) -> Utterance:
    """Say `text`.

    `voice` is a language with an optional speaker (`"en-us+f2"`), `rate` words a minute within `RATES`,
    `pitch` and `pitch_range` (melody) within `PITCHES`. A drawn `speaker` takes the place of the voice's own.
    Digits are read as numbers; characters without a sound are passed over. Raises InputError for a text with
    nothing to say, an unknown voice, or a setting out of range.
    """
    if not text.strip():
        raise InputError("The text to speak is empty: write at least one word.")
    for label, value, (low, high) in (
        ("rate", rate, RATES),
        ("pitch", pitch, PITCHES),
        ("pitch_range", pitch_range, PITCHES),
    ):
        if not low <= value <= high:
            raise InputError(f"The speech {label} is {value}: choose a whole number from {low} to {high}.")
    synthesiser = _synthesiser()
    name = synthesiser.resolve(voice)
    samples, events, native_rate = synthesiser.synthesise(text, name, rate, pitch, pitch_range, speaker)
    phonemes = _phonemes(events, len(samples), native_rate)
    if all(phoneme.name == PAUSE for phoneme in phonemes):
        raise InputError(
            f"The voice '{voice}' finds nothing to say in {text[:40]!r}: write words it can read."
        )
    return Utterance(_to_16k(samples, native_rate), phonemes, text, voice)


_MANNER = ("stressAdd", "stressAmp", "stressLength", "speed", "words")


def manner_of(voice: str) -> str:
    """How long and loud a voice's speaker makes stressed syllables, in espeak-ng's own lines."""
    return _synthesiser().lines_of(voice.partition("+")[2], _MANNER)


def _phonemes(events: list[tuple[int, str]], num_samples: int, rate: int) -> tuple[Phoneme, ...]:
    """Turn (start sample, espeak's IPA name) into intervals that tile the whole utterance."""
    spans: list[tuple[str, int, int]] = [(PAUSE, 0, 0)]
    for sample, raw in sorted(events, key=lambda event: event[0]):
        if raw.startswith("("):  # a language switch, not a sound
            continue
        stress = 2 if "ˈ" in raw else int("ˌ" in raw)
        name = raw.strip("ˈˌ") or PAUSE
        if name == PAUSE and spans[-1][0] == PAUSE:
            continue
        spans.append((name, sample, stress))
    ends = [start for _, start, _ in spans[1:]] + [num_samples]
    marked = [
        Phoneme(name, start / rate, end / rate, stress)
        for (name, start, stress), end in zip(spans, ends, strict=True)
        if end > start
    ]
    return _at_articulation(marked)


_VOICELESS_STOPS = frozenset("ptkcq")
_LONGEST_CLOSURE = 0.06
_VOWELS = frozenset("iɪɨyʏuʉʊɯeøɵoɤəɘɚɜɝɞɛœɔɒʌɐæaäɑ")


def _at_articulation(marked: list[Phoneme]) -> tuple[Phoneme, ...]:
    """Move espeak-ng's marks to where the lips and tongue close and open.

    Measured on its own sound (fall and rise of 300-2500 Hz energy, 130 and 200 words a minute): a voiceless
    stop is marked at its burst, after a closure about as long as the burst and breath that follow it;
    nasals and b keep their mark until the vowel behind them has settled, the release coming 30 ms (b) or 30
    % (m, n) earlier.
    """
    starts = [p.start for p in marked] + [marked[-1].end] if marked else []
    for index, sound in enumerate(marked):
        length = sound.end - sound.start
        before_vowel = index + 1 < len(marked) and marked[index + 1].name[0] in _VOWELS
        if sound.name[0] in _VOICELESS_STOPS:
            if index:
                room = 0.4 * (sound.start - marked[index - 1].start)
                starts[index] = sound.start - min(1.1 * length, _LONGEST_CLOSURE, room)
            if before_vowel and len(sound.name) == 1:
                starts[index + 1] = sound.start + 0.15 * length
        elif before_vowel and sound.name[0] == "b":
            starts[index + 1] = sound.end - min(0.03, 0.5 * length)
        elif before_vowel and sound.name[0] in "mn":
            starts[index + 1] = sound.end - 0.3 * length
    return tuple(
        Phoneme(p.name, start, end, p.stress)
        for p, start, end in zip(marked, starts[:-1], starts[1:], strict=True)
    )


def _to_16k(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """Band-limited resampling in the frequency domain, rolled off over the last 8 % below the new limit.

    Not `scipy.signal`: importing it costs every rendering worker more than a second.
    """
    waveform = samples.astype(np.float32) / 32768.0
    if rate != SAMPLE_RATE:
        common = math.gcd(SAMPLE_RATE, rate)
        up, down = SAMPLE_RATE // common, rate // common
        blocks = next_fast_len(len(waveform) // down + 2, real=True)
        spectrum = rfft(waveform, blocks * down)[: blocks * min(up, down) // 2 + 1]
        spectrum *= np.clip((1.0 - np.linspace(0.0, 1.0, len(spectrum))) / 0.08, 0.0, 1.0)
        length = math.ceil(len(waveform) * up / down)
        waveform = (irfft(spectrum, blocks * up) * (up / down))[:length].astype(np.float32)
    return np.clip(waveform, -1.0, 1.0)


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA_NO_EXIT = 0x1 | 0x2 | 0x8000
_END_OF_EVENTS, _PHONEME_EVENT = 0, 7
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_BY_CHARACTER, _UTF8 = 1, 1
_NOISE_SEED = 1
_DRAWN = "drawn"


class _Synthesiser:
    """Serialises access to espeak-ng, which is not thread-safe, and loads it afresh for every utterance."""

    def __init__(self, library: str, data: str) -> None:
        self._library = library
        self._data = data
        self._lock = threading.Lock()
        self._with_drawn: Path | None = None
        self._removal: weakref.finalize | None = None
        self.speakers = tuple(sorted(path.name for path in Path(data, "voices", "!v").iterdir()))
        self._languages = frozenset(path.name for path in Path(data, "lang").rglob("*") if path.is_file())
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._new_lock)

    def _new_lock(self) -> None:
        """A fork in the middle of another thread's sentence would leave the child's lock held for ever, and
        two processes must not share the folder of one drawn speaker.
        """
        self._lock = threading.Lock()
        if self._removal is not None:
            self._removal.detach()
        self._with_drawn = self._removal = None

    def resolve(self, voice: str) -> str:
        """espeak-ng's own name of a voice; InputError with near matches when there is none."""
        language, _, speaker = voice.partition("+")
        known = {name.lower(): name for name in self._languages}
        language = _ALIASES.get(language.lower(), language.lower())
        if language in known and (not speaker or speaker in self.speakers):
            return f"{language}+{speaker}" if speaker else language
        near = difflib.get_close_matches(voice, (*VOICES, *_ALIASES, *sorted(known)), n=3, cutoff=0.6)
        raise InputError(f"There is no voice '{voice}': use for example {', '.join(near or VOICES[:3])}.")

    def lines_of(self, speaker: str, keys: tuple[str, ...]) -> str:
        """The lines of a speaker's definition that begin with one of `keys`."""
        if not speaker:
            return ""
        definition = Path(self._data, "voices", "!v", speaker).read_text(encoding="utf-8", errors="ignore")
        return "\n".join(line for line in definition.splitlines() if line.split(" ")[0] in keys)

    def synthesise(
        self,
        text: str,
        voice: str,
        rate: int,
        pitch: int,
        pitch_range: int,
        speaker: DrawnSpeaker | None = None,
    ) -> tuple[NDArray[np.int16], list[tuple[int, str]], int]:
        """Samples, (sample, raw IPA) phoneme events, and the sample rate."""
        with self._lock:
            data = self._data
            if speaker:
                data, voice = self._introduce(speaker), f"{voice.partition('+')[0]}+{_DRAWN}"
            library = ctypes.CDLL(self._library)
            try:
                return self._say(library, data, text, voice, rate, pitch, pitch_range)
            finally:
                unload(library)

    def _introduce(self, speaker: DrawnSpeaker) -> str:
        """espeak-ng's data with one more speaker, in a folder of this process."""
        if self._with_drawn is None:
            self._with_drawn = Path(tempfile.mkdtemp(prefix="eadnet-speakers-"))
            self._removal = weakref.finalize(self, shutil.rmtree, self._with_drawn, ignore_errors=True)
            _mirror(Path(self._data), self._with_drawn)
        (self._with_drawn / "voices" / "!v" / _DRAWN).write_text(speaker.definition)
        return str(self._with_drawn)

    def _say(
        self, library: Any, data: str, text: str, voice: str, rate: int, pitch: int, pitch_range: int
    ) -> tuple[NDArray[np.int16], list[tuple[int, str]], int]:
        chunks: list[bytes] = []
        events: list[tuple[int, str]] = []

        def collect(wave: Any, count: int, event: Any) -> int:
            if wave and count > 0:
                chunks.append(ctypes.string_at(wave, 2 * count))
            index = 0
            while event[index].type != _END_OF_EVENTS:
                if event[index].type == _PHONEME_EVENT:
                    address = ctypes.addressof(event[index].id)
                    raw = ctypes.string_at(address, 8).split(b"\0")[0]
                    events.append((event[index].sample, raw.decode("utf-8", errors="ignore")))
                index += 1
            return 0

        callback = _CALLBACK(collect)
        native_rate = library.espeak_Initialize(
            _SYNCHRONOUS, 200, data.encode(), _PHONEME_EVENTS_IN_IPA_NO_EXIT
        )
        if native_rate <= 0:
            raise InputError(f"espeak-ng cannot start with the data in {data}: reinstall espeakng-loader.")
        try:
            library.espeak_ng_SetRandSeed(ctypes.c_long(_NOISE_SEED))
            library.espeak_SetSynthCallback(callback)
            if library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise InputError(f"espeak-ng cannot load the voice '{voice}': reinstall espeakng-loader.")
            for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_PITCH_RANGE, pitch_range)):
                library.espeak_SetParameter(parameter, int(value), 0)
            words = text.replace("\0", " ").encode("utf-8", errors="ignore") + b"\0"
            library.espeak_Synth(words, ctypes.c_size_t(len(words)), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        finally:
            library.espeak_Terminate()
        return np.frombuffer(b"".join(chunks), dtype=np.int16), events, int(native_rate)


def _mirror(source: Path, folder: Path) -> None:
    """Links to everything in `source`, but for the folder of speakers, which is copied; copies where the
    system makes no links.
    """
    for entry in source.iterdir():
        if entry.name == "voices":
            shutil.copytree(entry, folder / entry.name)
            continue
        try:
            (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        except OSError:
            copy = shutil.copytree if entry.is_dir() else shutil.copy2
            copy(entry, folder / entry.name)


def unload(library: ctypes.CDLL) -> None:
    """Forget a copy of the library, so that the next one begins with a fresh state."""
    import _ctypes

    release = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary  # type: ignore[attr-defined,unused-ignore]
    release(library._handle)


@lru_cache(maxsize=1)
def _synthesiser() -> _Synthesiser:
    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError("Speech needs the package espeakng-loader: pip install espeakng-loader.") from error
    return _Synthesiser(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
