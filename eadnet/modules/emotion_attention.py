"""Emotion cross-attention: every place of every frame reads the words that describe the emotion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EmotionAttention(nn.Module):
    """Gated cross-attention from image tokens to emotion tokens (reconstruction; the paper is silent).

    Each token decides from its own content how far each head may act on it (a sigmoid gate), so that brows
    and background need not follow the text equally. The output projection starts at zero: untrained, the
    module returns exact zeros and the network around it is unchanged.
    """

    def __init__(self, channels: int, heads: int, emotion_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(emotion_dim, channels, bias=False)
        self.to_v = nn.Linear(emotion_dim, channels, bias=False)
        self.to_gate = nn.Linear(channels, heads)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, x: Tensor, emotion: Tensor) -> Tensor:
        """The residual to add to x.

        Args:
            x: [B*T, P, C] tokens of every frame.
            emotion: [B, L, De] for one emotion per clip or [B*T, L, De] for one per frame.

        Returns:
            [B*T, P, C].
        """
        # All frames that share an emotion form one long query, so its keys and values are computed once.
        h = self.norm(x).reshape(emotion.shape[0], -1, x.shape[-1])
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for t in (self.to_q(h), self.to_k(emotion), self.to_v(emotion))
        )
        read = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        gated = read * torch.sigmoid(self.to_gate(h))[..., None]
        return self.to_out(gated.flatten(2)).reshape(x.shape)
