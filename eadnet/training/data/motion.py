"""Recordings for a model of motion: what an encoder hears, what the mouth does, and how loud it is.

audio.npy    float16 [N, R, D]   rows of a frozen audio encoder, 50 per second
mouths.npy   float   [N, T, M]   the mouth of the speech alone, 25 per second
levels.npy   float16 [N, T]      how loudly is spoken, 0..1

Everything else that a face does is performed anew for every step (`Performer`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .latents import Batch

ARRAYS = ("audio", "mouths", "levels")


@dataclass(frozen=True)
class Performance:
    """`params` [T, P], the person at `rest` [P], the sentence, and the one shown `later`, by `change` [T]."""

    params: np.ndarray
    rest: np.ndarray
    text: str
    later: str
    change: np.ndarray


class Performer(Protocol):
    """Plays what is not in a recording."""

    def __call__(
        self, rng: np.random.Generator, mouth: np.ndarray, level: np.ndarray, changes: bool
    ) -> Performance:
        """One take with a mouth [T, M] and a level [T]; where it `changes`, with a feeling that turns."""
        ...


@dataclass(frozen=True)
class MotionBatch(Batch):
    """Windows of takes: maps [B, T, 4, h, w]. `keep` [B, 1, h, w] is 1 where the motion is given."""

    keep: Tensor
    texts: tuple[str, ...]
    later: tuple[str, ...]
    change: Tensor


class MotionSet:
    """Recordings in memory; takes are performed when they are drawn."""

    def __init__(self, folder: Path, performer: Performer) -> None:
        self.audio, self.mouths, self.levels = (
            torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ARRAYS
        )
        self.performer = performer

    def __len__(self) -> int:
        return len(self.mouths)

    @property
    def frames(self) -> int:
        return self.mouths.shape[1]

    def perform(
        self, clips: Tensor, starts: Tensor, window: int, rng: np.random.Generator, changes: bool = False
    ) -> list[Performance]:
        """A take of each window."""
        return [
            self.performer(
                rng,
                self.mouths[clip, start : start + window].float().numpy(),
                self.levels[clip, start : start + window].float().numpy(),
                changes,
            )
            for clip, start in zip(clips.tolist(), starts.tolist(), strict=True)
        ]
