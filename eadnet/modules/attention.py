"""Attention inside one frame: self-attention over pixels, cross-attention to audio, feed-forward.

Key names are those of the published LatentSync U-Net, so that its checkpoints load unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..network_config import check_divides
from .emotion_attention import EmotionAttention


@dataclass(frozen=True)
class Context:
    """What every block of the U-Net sees besides the activations.

    Attributes:
        frames: T. Activations are [B*T, C, h, w], clip by clip, frame by frame.
        embedding: [B*T, E] time (and global emotion) embedding, already passed through SiLU.
        audio: [B*T, N, D] audio tokens of each frame.
        emotion: [B, L, De], [B*T, L, De], or None to skip the emotion parts.
    """

    frames: int
    embedding: Tensor
    audio: Tensor
    emotion: Tensor | None


def group_norm(channels: int, groups: int, eps: float) -> nn.GroupNorm:
    """GroupNorm with the requested number of groups, or the largest common divisor."""
    return nn.GroupNorm(math.gcd(groups, channels), channels, eps=eps)


class Attention(nn.Module):
    """Multi-head attention of x [N, L, C] to itself, or to context [N, M, D] of width `context_dim`."""

    def __init__(self, channels: int, heads: int, context_dim: int | None = None) -> None:
        super().__init__()
        check_divides(heads, channels, "heads of attention")
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_v = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        source = x if context is None else context
        q, k, v = (
            rearrange(t, "n l (heads d) -> n heads l d", heads=self.heads)
            for t in (self.to_q(x), self.to_k(source), self.to_v(source))
        )
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](rearrange(attended, "n heads l d -> n l (heads d)"))


class GEGLU(nn.Module):
    """Gated linear unit with a GELU gate (arXiv 2002.05202)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU feed-forward, four times as wide inside: [..., C] -> [..., C]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 4 * channels
        # The identity holds the place of the published layout's dropout, so that the output layer is "net.2".
        self.net = nn.ModuleList([GEGLU(channels, inner), nn.Identity(), nn.Linear(inner, channels)])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention, attention to audio, attention to emotion (optional), feed-forward; all residual."""

    def __init__(self, channels: int, heads: int, audio_dim: int, emotion_dim: int | None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.attn2 = Attention(channels, heads, audio_dim)
        self.emotion_attn = EmotionAttention(channels, heads, emotion_dim) if emotion_dim else None
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context.audio)
        if self.emotion_attn is not None and context.emotion is not None:
            x = x + self.emotion_attn(x, context.emotion)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """Transformer over the pixels of each frame, with audio and emotion: [B*T, C, h, w] -> same."""

    def __init__(
        self, channels: int, heads: int, audio_dim: int, emotion_dim: int | None, norm_groups: int
    ) -> None:
        super().__init__()
        self.norm = group_norm(channels, norm_groups, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, kernel_size=1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, heads, audio_dim, emotion_dim)])
        self.proj_out = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        height, width = x.shape[-2:]
        tokens = rearrange(self.norm(x), "n c h w -> n (h w) c")  # a view: x is channels-last
        # 1x1 convolutions are applied as linear layers: the tokens need no change of layout.
        tokens = F.linear(tokens, self.proj_in.weight.flatten(1), self.proj_in.bias)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        tokens = F.linear(tokens, self.proj_out.weight.flatten(1), self.proj_out.bias)
        return x + rearrange(tokens, "n (h w) c -> n c h w", h=height, w=width)
