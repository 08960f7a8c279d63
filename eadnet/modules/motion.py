"""Motion modules: self-attention over time at each pixel (AnimateDiff, arXiv 2307.04725).

Key names are those of the published LatentSync U-Net.
"""

from __future__ import annotations

from typing import Any

from einops import rearrange
from torch import Tensor, nn

from .attention import Attention, FeedForward, group_norm
from .embeddings import position_table
from .operations import TORCH, Operations, zeroed


class FramePositions(nn.Module):
    """Adds a fixed sinusoidal code of the frame index to tokens [N, T, C]."""

    pe: Tensor

    def __init__(self, channels: int, max_frames: int, operations: Operations = TORCH) -> None:
        super().__init__()
        self._operations = operations
        self.register_buffer("pe", position_table(max_frames, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self._operations.value(self.pe[:, : x.shape[1]], x)


class TemporalAttention(Attention):
    """Self-attention over the frames of one pixel: [N, T, C] -> same."""

    def __init__(self, channels: int, heads: int, max_frames: int, operations: Operations = TORCH) -> None:
        super().__init__(channels, heads, operations=operations)
        self.pos_encoder = FramePositions(channels, max_frames, operations)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return super().forward(self.pos_encoder(x), context)


class TemporalBlock(nn.Module):
    """A chain of temporal self-attentions and a feed-forward, all residual: [N, T, C] -> same."""

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
            x = x + attention(norm(x))
        return x + self.ff(self.ff_norm(x))


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
        height, width = x.shape[-2:]
        # One change of layout on the way in and one on the way out; everything between is [B*h*w, T, C].
        series = rearrange(self.norm(x), "(b t) c h w -> (b h w) t c", t=frames)
        series = self.proj_in(series)
        for block in self.transformer_blocks:
            series = block(series)
        series = self.proj_out(series)
        maps = rearrange(series, "(b h w) t c -> b t c h w", h=height, w=width)
        # Adding in five dimensions lets the sum keep the memory layout of x without a copy.
        clip = rearrange(x, "(b t) c h w -> b t c h w", t=frames) + maps
        return rearrange(clip, "b t c h w -> (b t) c h w")


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
