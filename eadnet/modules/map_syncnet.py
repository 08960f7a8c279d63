"""A SyncNet on maps of motion (ours; shaped after Chung and Zisserman, "Out of time", 2016).

Two towers embed five frames of a mouth's parameters, and what an encoder hears around them, on one unit
sphere, where what belongs together lies close. It supervises the training of `motion`, as `mini_syncnet` does
that of `mini`. Reconstruction: the paper's SyncNet sees pixels.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

FRAMES = 5


def _tower(inputs: int, hidden: int, dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, hidden, 1),
        nn.SiLU(),
        nn.Conv1d(hidden, hidden, 3),
        nn.SiLU(),
        nn.Conv1d(hidden, hidden, 3),
        nn.SiLU(),
        # Centred over the batch: a direction that all embeddings share says nothing.
        nn.Conv1d(hidden, dim, 1, bias=False),
        nn.BatchNorm1d(dim, affine=False),
    )


class MapSyncNet(nn.Module):
    """Unit embeddings of mouth and sound, one for each stretch of `FRAMES` frames.

    Args:
        parameters: M, of the mouth.
        tokens: L, that are heard around a frame. width: D of each.
        hidden, dim: channels of the towers and of the embeddings.
    """

    def __init__(self, parameters: int, tokens: int, width: int, hidden: int = 96, dim: int = 64) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "parameters": parameters,
            "tokens": tokens,
            "width": width,
            "hidden": hidden,
            "dim": dim,
        }
        self.mouth = _tower(parameters, hidden, dim)
        self.sound = _tower(tokens * width, hidden, dim)

    def forward(self, mouths: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Unit [B, T - 4, dim] each, of standardised parameters [B, T, M] and of tokens [B, T, L, D]."""
        return (
            _embedded(self.mouth, rearrange(mouths, "b t m -> b m t")),
            _embedded(self.sound, rearrange(heard, "b t l d -> b (l d) t")),
        )


def _embedded(tower: nn.Module, series: Tensor) -> Tensor:
    return F.normalize(rearrange(tower(series), "b d t -> b t d"), dim=-1)
