"""Speech without pictures: what the audio encoder learns from before any face is drawn.

A second of speech and the mouth that says it cost a hundredth of a second of rendering, so the encoder hears
many hours of voices while the clips hold less than one.

    speech.npy   int16   [N, samples]   what the network hears, 16 kHz
    mouths.npy   float32 [N, T, M]      the mouth of the speech alone (`synthetic.visemes.MOUTH`), no feeling
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .dataset import FPS, RATE


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
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = list(pool.map(_speak_one, jobs, chunksize=32))
    np.save(folder / "speech.npy", np.stack([speech for speech, _ in made]))
    # Last, as the sign that the set is whole.
    np.save(folder / "mouths.npy", np.stack([mouth for _, mouth in made]))


def _speak_one(job: tuple[int, str, int]) -> tuple[np.ndarray, np.ndarray]:
    from ..synthetic.clips import make_clip
    from ..synthetic.visemes import mouth_track

    seed, split, frames = job
    clip = make_clip(seed, split, frames)
    samples = frames * RATE // FPS
    speech = np.round(np.clip(clip.waveform[:samples], -1, 1) * 32767).astype(np.int16)
    return speech, mouth_track(clip.phonemes, frames, FPS)
