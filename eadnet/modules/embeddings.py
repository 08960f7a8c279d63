"""Embeddings of scalars: the diffusion timestep, the frame index and the overall emotion."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..network_config import has_no_memory
from .operations import TORCH, Operations, zeroed

_BASE_PERIOD = 10_000.0


def timestep_embedding(timesteps: Tensor, width: int, *, cos_first: bool, freq_shift: float) -> Tensor:
    """Sinusoidal embedding of diffusion timesteps (DDPM, arXiv 2006.11239).

    Args:
        timesteps: [N] timesteps, integer or float.
        width: size of the embedding; must be even.
        cos_first: put the cosines in the first half instead of the sines.
        freq_shift: subtracted from the number of frequencies when spacing them.

    Returns:
        [N, width] float32.
    """
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    frequencies = torch.exp(-math.log(_BASE_PERIOD) / (half - freq_shift) * steps)
    angles = timesteps.float()[:, None] * frequencies
    waves = (angles.cos(), angles.sin()) if cos_first else (angles.sin(), angles.cos())
    return torch.cat(waves, dim=-1)


def position_table(length: int, width: int) -> Tensor:
    """Sinusoidal table of frame positions, sine and cosine interleaved: [1, length, width]."""
    if has_no_memory():
        return torch.empty(1, length, width)
    positions = torch.arange(length, dtype=torch.float32)[:, None]
    frequencies = torch.exp(
        torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(_BASE_PERIOD) / width)
    )
    angles = positions * frequencies
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[None, :, :width]


class TimestepEmbedding(nn.Module):
    """Two-layer perceptron over the sinusoidal timestep embedding: [N, in] -> [N, out]."""

    def __init__(self, in_width: int, out_width: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self.linear_1 = operations.Linear(in_width, out_width)
        self.linear_2 = operations.Linear(out_width, out_width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class EmotionEmbedding(nn.Module):
    """The emotion as one global signal, to be added to the time embedding (reconstruction).

    Cross-attention lets each place of the face pick its own words; this path lets the sentence as a whole
    shift every layer. The last layer starts at zero, so an untrained path adds exactly nothing.
    """

    def __init__(self, emotion_dim: int, out_width: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self.linear_1 = operations.Linear(emotion_dim, out_width)
        self.linear_2 = zeroed(operations.Linear(out_width, out_width))

    def forward(self, emotion: Tensor) -> Tensor:
        """Emotion tokens [..., L, De] -> [..., out_width], pooled by their mean."""
        return self.linear_2(F.silu(self.linear_1(emotion.mean(dim=-2))))
