"""Speech without pictures: what the audio encoder learns from before it sees any clip.

speech.npy        int16   [N, samples]   the audio input, 16 kHz
mouths.npy        float32 [N, T, M]      the mouth of the speech alone, no expression
parameters.json   the names of its M columns
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...dataset_format import ParameterLayout


class SpeechSet:
    """Recordings with their mouths, memory-mapped. `names` are those of the mouths' columns.

    Raises InputError where the data set does not name them.
    """

    def __init__(self, folder: Path) -> None:
        self.speech = np.load(folder / "speech.npy", mmap_mode="r")
        self.mouths = np.load(folder / "mouths.npy", mmap_mode="r")
        self.names = ParameterLayout.read(folder).names

    def __len__(self) -> int:
        return len(self.mouths)

    @property
    def frames(self) -> int:
        return self.mouths.shape[1]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` recordings [B, S] in [-1, 1] and their mouths [B, T, M]."""
        return self.rows(torch.randint(len(self), (count,), generator=generator).numpy())

    def rows(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The recordings of some rows and their mouths, as `draw` gives them."""
        speech = torch.from_numpy(self.speech[rows].astype(np.float32) / 32767)
        return speech, torch.from_numpy(self.mouths[rows])
