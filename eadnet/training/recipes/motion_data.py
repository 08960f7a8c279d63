"""The data of the `motion` recipe: speech as a frozen encoder hears it, and performances of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...captions.loudness import frame_power, gain_of_power
from ...dataset_format import FPS, SAMPLE_RATE
from ...modules.mini_audio import MiniAudioEncoder
from ...printable import get_logger
from ...synthetic.captions import describe
from ...synthetic.descriptions import sample_descriptions
from ...synthetic.performances import perform
from ..data.motion import Performance

logger = get_logger(__name__)

_BATCH = 16  # recordings that are encoded at a time


def training_performer(
    rng: np.random.Generator, mouth: np.ndarray, level: np.ndarray, changes: bool
) -> Performance:
    """With sentences of the whole grammar and lexicon, in training phrasings."""
    feeling, later = sample_descriptions(rng, 2)
    return _performed(rng, mouth, level, feeling, later if changes else None)


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


def _performed(rng, mouth, level, feeling, later) -> Performance:  # type: ignore[no-untyped-def]
    take = perform(feeling, mouth, level, rng, later)
    after = feeling if later is None else later
    return Performance(take.params, take.rest, feeling.text, after.text, take.change)


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


def levels_of(sound: np.ndarray, frames: int) -> np.ndarray:
    """How loudly is spoken in every frame, 0..1, of int16 samples at 16 kHz."""
    waveform = torch.from_numpy(sound.astype(np.float32) / 32767)
    return np.asarray(gain_of_power(frame_power(waveform, SAMPLE_RATE, frames, FPS), FPS))
