"""The data of the `motion` recipe: speech as a frozen encoder hears it, and performances of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ...captions.loudness import frame_power, gain_of_power
from ...dataset_format import FPS, SAMPLE_RATE
from ...errors import InputError
from ...modules.mini_audio import MiniAudioEncoder, log_mel_of_power
from ...printable import get_logger
from ...synthetic.captions import Description, describe
from ...synthetic.descriptions import sample_descriptions
from ...synthetic.heard import Backgrounds, heard, spectrum
from ...synthetic.performances import perform
from ...synthetic.talk import read_shards
from ..data.motion import Performance

logger = get_logger(__name__)

_BATCH = 16  # recordings that are encoded at a time


Said = Callable[[Description], str]
"""What is read of a description: its text, its emotion's name, nothing."""


def _text(description: Description) -> str:
    return description.text


def training_performer(
    rng: np.random.Generator,
    mouth: np.ndarray,
    level: np.ndarray,
    changes: bool,
    said: Said = _text,
) -> Performance:
    """With sentences of the whole grammar and lexicon, in training phrasings."""
    feeling, later = sample_descriptions(rng, 2)
    return _performed(rng, mouth, level, feeling, later if changes else None, said)


def held_out_performer(split: str) -> _HeldOut:
    """With the sentences of another split."""
    return _HeldOut(split)


class _HeldOut:
    def __init__(self, split: str) -> None:
        self.split = split

    def __call__(
        self, rng: np.random.Generator, mouth: np.ndarray, level: np.ndarray, changes: bool
    ) -> Performance:
        feeling, later = describe(rng, self.split), describe(rng, self.split)
        return _performed(rng, mouth, level, feeling, later if changes else None)


def _performed(
    rng: np.random.Generator,
    mouth: np.ndarray,
    level: np.ndarray,
    feeling: Description,
    later: Description | None,
    said: Said = _text,
) -> Performance:
    take = perform(feeling, mouth, level, rng, later)
    after = feeling if later is None else later
    return Performance(take.params, take.rest, said(feeling), said(after), take.change)


@torch.no_grad()
def encode_recordings(speech: Path, folder: Path, encoder: MiniAudioEncoder) -> None:
    """From a set of speech (`eadnet.training.data.speech`) the arrays that `MotionSet` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = np.load(speech / "speech.npy", mmap_mode="r")
    mouths = np.load(speech / "mouths.npy", mmap_mode="r")
    frames = mouths.shape[1]
    rows = []
    for first in range(0, len(sounds), _BATCH):
        waveforms = torch.from_numpy(sounds[first : first + _BATCH].astype(np.float32) / 32767)
        rows.append(encoder(encoder.log_mel(waveforms)).half().numpy())
        if first // _BATCH % 50 == 0:
            logger.info("encoded %d of %d recordings", first, len(sounds))
    np.save(folder / "audio.npy", np.concatenate(rows))
    np.save(
        folder / "levels.npy", np.stack([levels_of(sound, frames) for sound in sounds]).astype(np.float16)
    )
    np.save(folder / "mouths.npy", np.asarray(mouths, np.float16))  # last: the set is whole


@torch.no_grad()
def encode_talk(
    shards: Path,
    folder: Path,
    encoder: MiniAudioEncoder,
    splits: Sequence[str],
    versions: int,
    frames: int,
    mouths_folder: Path | None = None,
) -> None:
    """The same from shards of talk (`eadnet.synthetic.talk`), each heard under some random conditions.

    Utterances that are shorter than ``frames`` lie in silence, longer ones are cut. Mouths are those of
    ``mouths_folder``, which has a file for each shard, or made from the phonemes. Raises InputError where
    there is none of the splits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, backgrounds = np.random.default_rng(17), Backgrounds.drawn()
    rows: list[np.ndarray] = []
    mouths: list[np.ndarray] = []
    levels: list[np.ndarray] = []
    waiting: list[torch.Tensor] = []

    def encode() -> None:
        rows.append(encoder(torch.stack(waiting)).half().numpy())
        waiting.clear()

    for waveform, mouth in talk_pieces(shards, splits, frames, mouths_folder):
        level, power = levels_of(np.round(waveform * 32767), frames), spectrum(waveform)
        for _ in range(versions):
            made = torch.from_numpy(np.asarray(heard(power, rng, backgrounds), np.float32))
            waiting.append(log_mel_of_power(made))
            mouths.append(mouth)
            levels.append(level)
            if len(waiting) == _BATCH:
                encode()
    if waiting:
        encode()
    if not rows:
        raise InputError(f"{shards} has no talk of the splits {', '.join(splits)}: make more.")
    np.save(folder / "audio.npy", np.concatenate(rows))
    np.save(folder / "levels.npy", np.stack(levels).astype(np.float16))
    np.save(folder / "mouths.npy", np.stack(mouths).astype(np.float16))


def talk_pieces(
    shards: Path, splits: Sequence[str], frames: int, mouths: Path | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Waveforms [frames * 640] of the utterances of some splits with their mouths [frames, M]; see
    `encode_talk`.
    """
    rng = np.random.default_rng(19)
    given = None if mouths is None else _mouths(mouths)
    for talk in read_shards(shards):
        spoken = talk.mouth() if given is None else next(given)
        if talk.split in splits:
            yield from _pieces(talk.waveform, spoken, frames, rng)


def _mouths(folder: Path) -> Iterator[np.ndarray]:
    """The mouths [T, M] of the utterances of all shards, in the order in which they are read."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            mouth, ends = arrays["mouth"].astype(np.float32), arrays["ends"]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            yield mouth[start:end]


def _pieces(
    sounding: np.ndarray, mouth: np.ndarray, frames: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Waveforms [frames * 640] of an utterance with their mouths [frames, M]."""
    step = SAMPLE_RATE // FPS
    spare = frames - len(mouth)
    if spare >= 0:
        before = int(rng.integers(0, spare + 1))
        waveform = np.zeros(frames * step, np.float32)
        sound = sounding[: len(mouth) * step]
        waveform[before * step : before * step + len(sound)] = sound
        yield waveform, np.pad(mouth, ((before, spare - before), (0, 0)))
        return
    for first in (0, len(mouth) - frames):
        yield sounding[first * step : (first + frames) * step], mouth[first : first + frames]


def levels_of(sound: np.ndarray, frames: int) -> np.ndarray:
    """How loudly is spoken in every frame, 0..1, of int16 samples at 16 kHz."""
    waveform = torch.from_numpy(sound.astype(np.float32) / 32767)
    return np.asarray(gain_of_power(frame_power(waveform, SAMPLE_RATE, frames, FPS), FPS))
