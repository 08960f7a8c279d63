"""Motion modules: self-attention over time at each pixel (AnimateDiff, arXiv 2307.04725).

Key names are those of the published LatentSync U-Net.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import Attention, FeedForward, group_norm
from .embeddings import position_table
from .in_place import added
from .operations import TORCH, Operations, zeroed

_MOST_HEADS = 65_535  # that a kernel on CUDA takes at once


class FramePositions(nn.Module):
    """Adds a fixed sinusoidal code of the frame index to tokens [B, T, P, C]."""

    pe: Tensor

    def __init__(self, channels: int, max_frames: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self._operations = operations
        self.register_buffer("pe", position_table(max_frames, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self._operations.value(self.pe[:, : x.shape[1], None], x)


class TemporalAttention(Attention):
    """Self-attention over the frames at each of P places: [B, T, P, C] -> same."""

    def __init__(self, channels: int, heads: int, max_frames: int, operations: Operations = TORCH) -> None:
        super().__init__(channels, heads, operations=operations)
        self.pos_encoder = FramePositions(channels, max_frames, operations)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x, places = self.pos_encoder(x), x.shape[2]
        # Places and heads lie side by side in memory: as one dimension they need no copy. Where they are too
        # many for that, places go into the batch.
        split, joint = (
            ("b t p (heads d) -> b (p heads) t d", "b (p heads) t d -> b t p (heads d)")
            if places * self.heads <= _MOST_HEADS
            else ("b t p (heads d) -> (b p) heads t d", "(b p) heads t d -> b t p (heads d)")
        )
        q, k, v = (rearrange(t, split, heads=self.heads) for t in self.projected(x))
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](rearrange(attended, joint, heads=self.heads, p=places))


class TemporalBlock(nn.Module):
    """A chain of temporal self-attentions and a feed-forward, all residual: [B, T, P, C] -> same."""

    def __init__(
        self, channels: int, heads: int, attentions: int, max_frames: int, operations: Operations = TORCH
    ) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(
            TemporalAttention(channels, heads, max_frames, operations) for _ in range(attentions)
        )
        self.norms = nn.ModuleList(operations.LayerNorm(channels) for _ in range(attentions))
        self.ff = FeedForward(channels, operations)
        self.ff_norm = operations.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            x = added(x, attention(norm(x)))
        return added(x, self.ff(self.ff_norm(x)))


class TemporalTransformer(nn.Module):
    """Transformer over time at every pixel: [B*T, C, h, w] -> same."""

    def __init__(
        self,
        channels: int,
        heads: int,
        blocks: int,
        attentions: int,
        max_frames: int,
        norm_groups: int,
        operations: Operations = TORCH,
    ) -> None:
        super().__init__()
        self.norm = group_norm(channels, norm_groups, 1e-6, operations)
        self.proj_in = operations.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            TemporalBlock(channels, heads, attentions, max_frames, operations) for _ in range(blocks)
        )
        self.proj_out = operations.Linear(channels, channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        # Activations are channels-last, so the tokens of every frame are a view and nothing is copied; but on
        # CUDA, where the norm gives another layout (see attention). No name of theirs: it would keep them.
        series = self.proj_in(rearrange(self.norm(x), "(b t) c h w -> b t (h w) c", t=frames).contiguous())
        for block in self.transformer_blocks:
            series = block(series)
        maps = rearrange(self.proj_out(series), "b t (h w) c -> (b t) c h w", h=x.shape[-2])
        return added(x, maps)


class MotionModule(nn.Module):
    """The temporal module of one layer, configured by LatentSync's `motion_module_kwargs`."""

    def __init__(
        self, channels: int, norm_groups: int, options: dict[str, Any], operations: Operations = TORCH
    ) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(
            channels,
            heads=options["num_attention_heads"],
            blocks=options["num_transformer_block"],
            attentions=len(options["attention_block_types"]),
            max_frames=options["temporal_position_encoding_max_len"],
            norm_groups=norm_groups,
            operations=operations,
        )
        if options["zero_initialize"]:
            zeroed(self.temporal_transformer.proj_out)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        return self.temporal_transformer(x, frames)
