"""Speech without pictures: what the audio encoder learns from before any face is drawn.

A second of speech and the mouth that says it cost a hundredth of a second of rendering, so the encoder hears
many hours of voices while the clips hold less than one, and most of them are voices that nobody wrote. The
clips themselves are said again by such speakers, so that a mouth never belongs to one voice.

    speech.npy   int16   [N, samples]   what the network hears, 16 kHz
    mouths.npy   float32 [N, T, M]      the mouth of the speech alone (`synthetic.visemes.MOUTH`), no feeling
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from .dataset import FPS, OTHER_VOICES, SETTINGS, seeds_of

Job = TypeVar("Job")
Made = TypeVar("Made")

DRAWN_SPEAKERS, FOREIGN_SPEECH = 0.6, 0.4  # shares of the training speech


class SpeechSet:
    """Recordings with their mouths, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.speech = np.load(folder / "speech.npy", mmap_mode="r")
        self.mouths = np.load(folder / "mouths.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.mouths)

    @property
    def frames(self) -> int:
        return self.mouths.shape[1]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` recordings [B, S] in [-1, 1] and their mouths [B, T, M]."""
        return self.take(torch.randint(len(self), (count,), generator=generator).numpy())

    def take(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        speech = torch.from_numpy(self.speech[rows].astype(np.float32) / 32767)
        return speech, torch.from_numpy(self.mouths[rows])


def make_speech(
    folder: Path, split: str, count: int, *, frames: int = 64, first_seed: int = 0, workers: int = 1
) -> None:
    """Write a `SpeechSet` of `count` recordings of `split`, seeds from `first_seed`."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(first_seed + i, split, frames) for i in range(count)]
    made = _all(_speak_one, jobs, workers)
    np.save(folder / "speech.npy", np.stack([speech for speech, _ in made]))
    # Last, as the sign that the set is whole.
    np.save(folder / "mouths.npy", np.stack([mouth for _, mouth in made]))


def _all(make: Callable[[Job], Made], jobs: Sequence[Job], workers: int) -> list[Made]:
    if workers == 1:
        return [make(job) for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(make, jobs, chunksize=32))


def _speak_one(job: tuple[int, str, int]) -> tuple[np.ndarray, np.ndarray]:
    from ..synthetic.clips import described
    from ..synthetic.recordings import FOREIGN_SHARE, record
    from ..synthetic.speakers import draw_speaker
    from ..synthetic.visemes import mouth_track

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
    return _as_written(recording.waveform), mouth_track(recording.phonemes, frames, FPS)


def make_other_voices(folder: Path, count: int, *, workers: int = 1) -> None:
    """Write `voices.npy` int16 [clips, count, samples] into a rendered set: its speech by other speakers."""
    settings = json.loads((folder / SETTINGS).read_text())
    jobs = [(seed, settings["split"], settings["frames"], count) for seed in seeds_of(settings)]
    np.save(folder / OTHER_VOICES, np.stack(_all(_revoice_one, jobs, workers)))


def _revoice_one(job: tuple[int, str, int, int]) -> np.ndarray:
    from ..synthetic.clips import described
    from ..synthetic.recordings import other_voices

    seed, split, frames, count = job
    made = other_voices(seed, split, described(seed, split), frames, count)
    return np.stack([_as_written(waveform) for waveform in made])


def _as_written(waveform: np.ndarray) -> np.ndarray:
    return np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
