"""Emotion cross-attention: every place of every frame reads the words that describe the emotion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..network_config import check_divides
from .joined import products
from .operations import TORCH, Operations, zeroed


class EmotionAttention(nn.Module):
    """Gated cross-attention from image tokens to emotion tokens (reconstruction; the paper is silent).

    Each token decides from its own content how far each head may act on it (a sigmoid gate), so that brows
    and background need not follow the text equally. The output projection starts at zero: untrained, the
    module returns exact zeros and the network around it is unchanged.
    """

    def __init__(self, channels: int, heads: int, emotion_dim: int, operations: Operations = TORCH) -> None:
        super().__init__()
        check_divides(heads, channels, "heads of emotion attention")
        self.heads = heads
        self.norm = operations.LayerNorm(channels)
        self.to_q = operations.Linear(channels, channels, bias=False)
        self.to_k = operations.Linear(emotion_dim, channels, bias=False)
        self.to_v = operations.Linear(emotion_dim, channels, bias=False)
        self.to_gate = operations.Linear(channels, heads)
        self.to_out = zeroed(operations.Linear(channels, channels))

    @property
    def of_one_input(self) -> Sequence[nn.Linear]:
        """The projections that may be one product (see `joined`)."""
        return [self.to_k, self.to_v]

    def forward(self, x: Tensor, emotion: Tensor) -> Tensor:
        """The residual to add to x.

        Args:
            x: [B*T, P, C] tokens of every frame.
            emotion: [B, L, De] for one emotion per clip or [B*T, L, De] for one per frame.

        Returns:
            [B*T, P, C].
        """
        # All frames that share an emotion form one long query, so its keys and values are computed once.
        h = rearrange(self.norm(x), "(b t) p c -> b (t p) c", b=emotion.shape[0])
        q, k, v = (
            rearrange(t, "b l (heads d) -> b heads l d", heads=self.heads)
            for t in (self.to_q(h), *products(self.of_one_input, emotion))
        )
        read = rearrange(F.scaled_dot_product_attention(q, k, v), "b heads l d -> b l heads d")
        gated = read * torch.sigmoid(self.to_gate(h))[..., None]
        residual = self.to_out(rearrange(gated, "b l heads d -> b l (heads d)"))
        return rearrange(residual, "b (t p) c -> (b t) p c", p=x.shape[1])
