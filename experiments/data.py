"""Clips of a rendered data set in the form that networks take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eadnet.training.data.clips import ClipSet


def speech_of(clips: ClipSet, row: int) -> Tensor:
    """The speech [S] of a clip at 16 kHz, in [-1, 1]."""
    return torch.from_numpy(clips.speech[row].astype(np.float32) / 32767)
