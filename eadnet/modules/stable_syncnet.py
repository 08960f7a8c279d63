"""LatentSync's SyncNet (StableSyncNet, arXiv 2412.09262, section 3.3): 16 frames against 0.65 s of mel.

Both streams share one shape: residual convolutions that halve the image until one pixel is left, with
self-attention at the coarse levels. Parameter names are those of the published `stable_syncnet.pt`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..errors import InputError
from ..media.clips import Frames
from ..media.features import latentsync_mel
from ..media.images import unit_range

GROUPS = 32
EPS = 1e-6
FPS = 25
MELS_PER_SECOND = 80

Factor = int | Sequence[int]


def _pair(factor: Factor) -> tuple[int, int]:
    return (factor, factor) if isinstance(factor, int) else (int(factor[0]), int(factor[1]))


class ResidualDown(nn.Module):
    """Residual block followed by a strided convolution; [B, C_in, H, W] -> [B, C_out, H / f_h, W / f_w]."""

    def __init__(self, inputs: int, outputs: int, factor: Factor, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, inputs, eps=EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, outputs, eps=EPS)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None
        stride = _pair(factor)
        self.downsample_conv = nn.Conv2d(outputs, outputs, 3, stride) if stride != (1, 1) else None
        # Left, right, top, bottom. A side that keeps its length is padded on both ends, a halved one only on
        # the far end.
        self.pad = (int(stride[1] == 1), 1, int(stride[0] == 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = self.conv2(self.dropout(F.silu(self.norm2(hidden))))
        hidden = hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))
        if self.downsample_conv is not None:
            hidden = self.downsample_conv(F.pad(hidden, self.pad))
        return hidden


class Attention(nn.Module):
    """Self-attention over positions; [B, N, C] -> same."""

    def __init__(self, width: int, dropout: float, heads: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.ModuleList([nn.Linear(width, width), nn.Dropout(dropout)])

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            rearrange(project(x), "b n (heads d) -> b heads n d", heads=self.heads)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        x = F.scaled_dot_product_attention(query, key, value)
        x = rearrange(x, "b heads n d -> b n (heads d)")
        for layer in self.to_out:
            x = layer(x)
        return x


class GatedProjection(nn.Module):
    """GEGLU (arXiv 2002.05202): one half of a projection, gated by the GELU of the other."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Gated feed-forward network of four times the width; [..., C] -> same."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            GatedProjection(width, 4 * width), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class AttentionBlock(nn.Module):
    """Transformer block over the pixels of a feature map; [B, C, H, W] -> same."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, width, eps=EPS)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width, dropout)
        self.conv_in = nn.Conv2d(width, width, 1)
        self.conv_out = nn.Conv2d(width, width, 1)
        self.attn = Attention(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = rearrange(self.conv_in(self.norm1(x)), "b c h w -> b (h w) c")
        hidden = hidden + self.attn(self.norm2(hidden))
        hidden = hidden + self.ff(self.norm3(hidden))
        return x + self.conv_out(rearrange(hidden, "b (h w) c -> b c h w", h=x.shape[2]))


class DownEncoder(nn.Module):
    """One stream: [B, C, H, W] -> [B, C_last, H / product of factors, W / product of factors]."""

    def __init__(
        self,
        in_channels: int,
        block_out_channels: Sequence[int],
        downsample_factors: Sequence[Factor],
        attn_blocks: Sequence[int],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels = [block_out_channels[0], *block_out_channels]
        self.conv_in = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for level, factor in enumerate(downsample_factors):
            self.down_blocks.append(ResidualDown(channels[level], channels[level + 1], factor, dropout))
            if attn_blocks[level]:
                self.down_blocks.append(AttentionBlock(channels[level + 1], dropout))
        self.norm_out = nn.GroupNorm(GROUPS, channels[-1], eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return F.relu(self.norm_out(x))


class StableSyncNet(nn.Module):
    """Unit embeddings of images and sound; their cosine is near 1 where lips and speech belong together.

    Args:
        audio_encoder, visual_encoder: keyword arguments of `DownEncoder`. The number of frames (channels / 3)
            and the size of the images (product of the factors) follow from them; an image twice as wide as
            tall is the lower half of a square crop.
    """

    name = "stable_syncnet"
    silence_beyond_ends = False
    confident = 0.0
    crop = "a square face crop aligned as for LatentSync"

    def __init__(self, audio_encoder: Mapping[str, Any], visual_encoder: Mapping[str, Any]) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "audio_encoder": dict(audio_encoder),
            "visual_encoder": dict(visual_encoder),
        }
        self.audio_encoder = DownEncoder(**audio_encoder)
        self.visual_encoder = DownEncoder(**visual_encoder)
        factors = [_pair(factor) for factor in visual_encoder["downsample_factors"]]
        self.height = math.prod(factor[0] for factor in factors)
        self.width = math.prod(factor[1] for factor in factors)
        self.num_frames = int(visual_encoder["in_channels"]) // 3
        self.mel_frames = math.ceil(self.num_frames / 5 * 16)
        self.eval()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> StableSyncNet:
        return cls(**config)

    def embed_video(self, video: Tensor) -> Tensor:
        """[B, 3 * frames, height, width], frame by frame red, green, blue, values -1..1 -> unit [B, D]."""
        return F.normalize(self.visual_encoder(video).flatten(1), dim=1)

    def embed_audio(self, mel: Tensor) -> Tensor:
        """[B, 1, 80, mel frames] from `latentsync_mel` -> unit [B, D]."""
        return F.normalize(self.audio_encoder(mel).flatten(1), dim=1)

    def forward(self, video: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(unit video embeddings [B, D], unit audio embeddings [B, D])."""
        return self.embed_video(video), self.embed_audio(mel)

    def window(self, frames: Tensor) -> Tensor:
        """Images as the visual stream takes them, differentiable: the path for SyncNet supervision.

        Args:
            frames: [..., T, 3, H, W], values 0..1, square crops of one face.

        Returns:
            [..., T, 3, height, width], values -1..1.
        """
        # One size for all: a lower half is cut from a square of the full width.
        lower_half = self.width == 2 * self.height
        size = (self.width if lower_half else self.height, self.width)
        flat = frames.reshape(-1, *frames.shape[-3:])
        if tuple(flat.shape[-2:]) != size:
            flat = F.interpolate(flat, size, mode="bicubic", antialias=True).clamp(0.0, 1.0)
        flat = flat[:, :, -self.height :] * 2.0 - 1.0
        return flat.reshape(*frames.shape[:-2], self.height, self.width)

    @torch.no_grad()
    def embed(self, frames: Frames, waveform: Tensor, batch: int = 8) -> tuple[Tensor, Tensor]:
        """Embeddings at every frame, ready for `eadnet.metrics.sync.sweep`.

        Args:
            frames: [T, 3, H, W], red, green, blue, values 0..1 or uint8, 25 fps; square crops of one face,
                aligned as for LatentSync.
            waveform: [S], mono, 16 kHz.
            batch: windows embedded at a time; bounds the memory.

        Returns:
            (video [N, D], audio [N, D]); N windows of 16 frames that fit in both.

        Raises:
            InputError: fewer frames of image or sound than one window.
        """
        weight = self.audio_encoder.conv_in.weight
        mel = latentsync_mel(waveform)
        starts = [
            int(MELS_PER_SECOND * (first / FPS))
            for first in range(max(0, frames.shape[0] - self.num_frames + 1))
        ]
        starts = [start for start in starts if start + self.mel_frames <= mel.shape[1]]
        if not starts:
            raise InputError(
                f"the clip is too short for this SyncNet: use at least {self.num_frames} frames "
                f"({self.num_frames / FPS:.2f} s) with audio."
            )
        video, audio = [], []
        for first in range(0, len(starts), batch):
            batch_starts = starts[first : first + batch]
            pictures = unit_range(frames[first : first + len(batch_starts) + self.num_frames - 1], weight)
            windows = self.window(pictures).unfold(0, self.num_frames, 1)
            sounds = torch.stack([mel[:, start : start + self.mel_frames] for start in batch_starts])
            video.append(self.embed_video(rearrange(windows, "n c h w t -> n (t c) h w")))
            audio.append(self.embed_audio(sounds.unsqueeze(1).to(weight)))
        return torch.cat(video), torch.cat(audio)
