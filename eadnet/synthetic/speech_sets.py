"""Write sets of synthetic speech, in the form that `eadnet.training.data.speech` reads.

A second of speech and the mouth that says it cost a hundredth of a second of rendering, so the audio encoder
trains on many hours of speech while the clips hold less than one, most of it by random speakers. The
sentences of the clips are synthesised again with such speakers, so that no mouth belongs to one voice.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..dataset_format import FPS, OTHER_VOICES, SETTINGS, ParameterLayout
from .clips import described
from .datasets import seeds_of, to_int16
from .recordings import FOREIGN_SHARE, other_voices, record
from .speakers import draw_speaker
from .visemes import MOUTH, mouth_track

Job = TypeVar("Job")
Made = TypeVar("Made")

DRAWN_SPEAKERS, FOREIGN_SPEECH = 0.6, 0.4  # shares of the training speech

LAYOUT = ParameterLayout(MOUTH, speech=MOUTH)
"""The columns of a speech set's mouths."""


def make_speech(
    folder: Path, split: str, count: int, *, frames: int = 64, first_seed: int = 0, workers: int = 1
) -> None:
    """Write a `SpeechSet` of `count` recordings of `split`, seeds from `first_seed`."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(first_seed + i, split, frames) for i in range(count)]
    made = _all(_speak_one, jobs, workers)
    np.save(folder / "speech.npy", np.stack([speech for speech, _ in made]))
    LAYOUT.write(folder)
    # Last, as the sign that the set is whole.
    np.save(folder / "mouths.npy", np.stack([mouth for _, mouth in made]))


def _all(make: Callable[[Job], Made], jobs: Sequence[Job], workers: int) -> list[Made]:
    if workers == 1:
        return [make(job) for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(make, jobs, chunksize=32))


def _speak_one(job: tuple[int, str, int]) -> tuple[np.ndarray, np.ndarray]:
    seed, split, frames = job
    rng = np.random.default_rng([seed, 41])
    drawn = split == "train" and rng.random() < DRAWN_SPEAKERS
    recording = record(
        seed,
        split,
        described(seed, split),
        frames,
        foreign=FOREIGN_SPEECH if split == "train" else FOREIGN_SHARE,
        speaker=draw_speaker(rng) if drawn else None,
    )
    return to_int16(recording.waveform), mouth_track(recording.phonemes, frames, FPS)


def make_other_voices(folder: Path, count: int, *, workers: int = 1) -> None:
    """Write `voices.npy` int16 [clips, count, samples] into a rendered set: its speech by other speakers."""
    settings = json.loads((folder / SETTINGS).read_text())
    jobs = [(seed, settings["split"], settings["frames"], count) for seed in seeds_of(settings)]
    np.save(folder / OTHER_VOICES, np.stack(_all(_revoice_one, jobs, workers)))


def _revoice_one(job: tuple[int, str, int, int]) -> np.ndarray:
    seed, split, frames, count = job
    made = other_voices(seed, split, described(seed, split), frames, count)
    return np.stack([to_int16(waveform) for waveform in made])
