"""Attention inside one frame: self-attention over pixels, cross-attention to audio, feed-forward.

Key names are those of the published LatentSync U-Net, so that its checkpoints load unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from ..network_config import check_divides
from .emotion_attention import EmotionAttention
from .in_place import added, gated
from .joined import products
from .operations import TORCH, Operations


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


def group_norm(channels: int, groups: int, eps: float, operations: Operations = TORCH) -> nn.GroupNorm:
    """GroupNorm with the requested number of groups, or the largest common divisor."""
    norm: nn.GroupNorm = operations.GroupNorm(math.gcd(groups, channels), channels, eps=eps)
    return norm


class Attention(nn.Module):
    """Multi-head attention of x [N, L, C] to itself, or to context [N, M, D] of width `context_dim`."""

    def __init__(
        self, channels: int, heads: int, context_dim: int | None = None, operations: Operations = TORCH
    ) -> None:
        super().__init__()
        check_divides(heads, channels, "heads of attention")
        self.heads = heads
        self.crosses = context_dim is not None
        self.to_q = operations.Linear(channels, channels, bias=False)
        self.to_k = operations.Linear(context_dim or channels, channels, bias=False)
        self.to_v = operations.Linear(context_dim or channels, channels, bias=False)
        self.to_out = nn.ModuleList([operations.Linear(channels, channels)])

    @property
    def of_one_input(self) -> Sequence[nn.Linear]:
        """The projections that may be one product (see `joined`)."""
        return [self.to_k, self.to_v] if self.crosses else [self.to_q, self.to_k, self.to_v]

    def projected(self, x: Tensor, context: Tensor | None = None) -> Sequence[Tensor]:
        """Queries of x, keys and values of the context or x."""
        if self.crosses:
            return [self.to_q(x), *products(self.of_one_input, x if context is None else context)]
        if context is None:
            return products(self.of_one_input, x)
        return [self.to_q(x), self.to_k(context), self.to_v(context)]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        q, k, v = (
            rearrange(t, "n l (heads d) -> n heads l d", heads=self.heads) for t in self.projected(x, context)
        )
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](rearrange(attended, "n heads l d -> n l (heads d)"))


class GEGLU(nn.Module):
    """Gated linear unit with a GELU gate (arXiv 2002.05202)."""

    def __init__(self, channels: int, inner: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self.proj = operations.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return gated(value, gate)


class FeedForward(nn.Module):
    """GEGLU feed-forward, four times as wide inside: [..., C] -> [..., C]."""

    def __init__(self, channels: int, operations: Operations = TORCH) -> None:
        super().__init__()
        inner = 4 * channels
        # The identity holds the place of the published layout's dropout, so that the output layer is "net.2".
        gate, out = GEGLU(channels, inner, operations), operations.Linear(inner, channels)
        self.net = nn.ModuleList([gate, nn.Identity(), out])

    def forward(self, x: Tensor) -> Tensor:
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention, attention to audio, attention to emotion (optional), feed-forward; all residual."""

    def __init__(
        self,
        channels: int,
        heads: int,
        audio_dim: int,
        emotion_dim: int | None,
        operations: Operations = TORCH,
    ) -> None:
        super().__init__()
        self.norm1 = operations.LayerNorm(channels)
        self.attn1 = Attention(channels, heads, operations=operations)
        self.norm2 = operations.LayerNorm(channels)
        self.attn2 = Attention(channels, heads, audio_dim, operations)
        self.emotion_attn = (
            EmotionAttention(channels, heads, emotion_dim, operations) if emotion_dim else None
        )
        self.norm3 = operations.LayerNorm(channels)
        self.ff = FeedForward(channels, operations)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = added(x, self.attn1(self.norm1(x)))
        x = added(x, self.attn2(self.norm2(x), context.audio))
        if self.emotion_attn is not None and context.emotion is not None:
            x = added(x, self.emotion_attn(x, context.emotion))
        return added(x, self.ff(self.norm3(x)))


class SpatialTransformer(nn.Module):
    """Transformer over the pixels of each frame, with audio and emotion: [B*T, C, h, w] -> same."""

    def __init__(
        self,
        channels: int,
        heads: int,
        audio_dim: int,
        emotion_dim: int | None,
        norm_groups: int,
        operations: Operations = TORCH,
    ) -> None:
        super().__init__()
        self._operations = operations
        self.norm = group_norm(channels, norm_groups, 1e-6, operations)
        self.proj_in = operations.Conv2d(channels, channels, kernel_size=1)
        self.transformer_blocks = nn.ModuleList(
            [TransformerBlock(channels, heads, audio_dim, emotion_dim, operations)]
        )
        self.proj_out = operations.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        height, width = x.shape[-2:]
        # A view: x is channels-last. (On CUDA torch's norm is not, so what the product would copy anyway is
        # copied here; of tokens that lie in order, product and bias are one kernel.)
        tokens = rearrange(self.norm(x), "n c h w -> n (h w) c").contiguous()
        # 1x1 convolutions are applied as linear layers: the tokens need no change of layout.
        tokens = self._pointwise(self.proj_in, tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        tokens = self._pointwise(self.proj_out, tokens)
        return added(x, rearrange(tokens, "n (h w) c -> n c h w", h=height, w=width))

    def _pointwise(self, layer: nn.Conv2d, tokens: Tensor) -> Tensor:
        weight, bias = self._operations.weights(layer, tokens)
        return F.linear(tokens, weight.flatten(1), bias)
