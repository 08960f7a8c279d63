"""Whisper's audio encoder (arXiv 2212.04356) and the per-frame tokens LatentSync takes from it.

Parameter names are those of the published checkpoints without their "encoder." prefix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..media.audio import RATE
from ..media.features import WHISPER_FFT, WHISPER_HOP, mel_power_between, whisper_log_mel
from ..media.speech import Speech
from ..network_config import check_divides, has_no_memory
from .slices import checked_fps
from .speech_encoder import SpeechEncoder

# Neighbouring chunks share at least a third of their length (10 s of 30 s) and hand over during 4 s in the
# middle of what they share, so no row near the edge of a chunk, where context is missing, is ever used.
CHUNK_OVERLAP = 1 / 3
HANDOVER_ROWS = 200


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's fixed position table: sines, then cosines, of growing periods; [length, channels]."""
    if has_no_memory():
        return torch.empty(length, channels)
    step = math.log(10000.0) / (channels // 2 - 1)
    frequencies = torch.exp(-step * torch.arange(channels // 2, dtype=torch.float32))
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class SelfAttention(nn.Module):
    """Multi-head self-attention; the key projection has no bias, as published."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        check_divides(heads, width, "heads of attention")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            rearrange(project(x), "b r (heads d) -> b heads r d", heads=self.heads)
            for project in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.out(rearrange(attended, "b heads r d -> b r (heads d)"))


class EncoderBlock(nn.Module):
    """Pre-norm transformer block; [B, R, width] -> same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.attn_ln(x))
        return x + self.mlp(self.mlp_ln(x))


class WhisperEncoder(SpeechEncoder):
    """Whisper's encoder, read out at every layer.

    Args:
        n_mels: mel bands.
        n_audio_ctx: rows of one chunk (1500 for 30 s).
        n_audio_state: width (384 for `tiny`).
        n_audio_head: attention heads.
        n_audio_layer: transformer blocks.
    """

    positional_embedding: Tensor

    def __init__(
        self,
        n_mels: int = 80,
        n_audio_ctx: int = 1500,
        n_audio_state: int = 384,
        n_audio_head: int = 6,
        n_audio_layer: int = 4,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_mels": n_mels,
            "n_audio_ctx": n_audio_ctx,
            "n_audio_state": n_audio_state,
            "n_audio_head": n_audio_head,
            "n_audio_layer": n_audio_layer,
        }
        self.conv1 = nn.Conv1d(n_mels, n_audio_state, 3, padding=1)
        self.conv2 = nn.Conv1d(n_audio_state, n_audio_state, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", sinusoids(n_audio_ctx, n_audio_state))
        self.blocks = nn.ModuleList([EncoderBlock(n_audio_state, n_audio_head) for _ in range(n_audio_layer)])
        # Part of the published checkpoint; the layers LatentSync reads all lie before it.
        self.ln_post = nn.LayerNorm(n_audio_state)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WhisperEncoder:
        return cls(**config)

    @property
    def chunk_frames(self) -> int:
        """Mel frames of one chunk: two per row."""
        return 2 * int(self.config["n_audio_ctx"])

    def forward(self, mel: Tensor) -> Tensor:
        """All layers of one chunk.

        Args:
            mel: [B, n_mels, 2 * n_audio_ctx], from `whisper_log_mel`.

        Returns:
            [B, n_audio_ctx, n_audio_layer + 1, n_audio_state]: the input of the first block and the output of
            each block, before the final normalisation.
        """
        x = F.gelu(self.conv1(mel))
        x = rearrange(F.gelu(self.conv2(x)), "b width r -> b r width")
        x = x + self.positional_embedding
        layers = [x]
        for block in self.blocks:
            layers.append(block(layers[-1]))
        return torch.stack(layers, dim=2)

    def samples_needed(self, fps: float | Fraction, num_frames: int) -> int:
        return max(2 * WHISPER_HOP, math.ceil(num_frames / checked_fps(fps) * RATE))

    def all_rows(self, waveform: Tensor) -> Tensor:
        """Of up to 30 s, exactly the rows LatentSync uses (arXiv 2412.09262, section 3.1). Longer recordings
        are encoded in overlapping chunks that fade into each other (LatentSync cuts every 30 s, which leaves
        a jump there).
        """
        return self.encode_rows(whisper_log_mel(waveform).to(self.conv1.weight))

    def row_blocks(self, speech: Speech, samples: int, wanted: int) -> tuple[Iterator[Tensor], int]:
        frames = samples // WHISPER_HOP
        whole = max(self.chunk_frames, frames + frames % 2)
        starts = chunk_starts(whole // 2, self.chunk_frames // 2)
        chunk = max(k for k, start in enumerate(starts) if start <= wanted)
        # The chunk before still fades out there.
        chunk = max(0, chunk - 1)
        return self._row_blocks(speech, max(samples, WHISPER_FFT), frames, starts, chunk), starts[chunk]

    @torch.no_grad()
    def _row_blocks(
        self, speech: Speech, samples: int, frames: int, starts: list[int], first_chunk: int
    ) -> Iterator[Tensor]:
        """Rows [n, layers, width] from the start of a chunk on, of all chunks that see them."""

        def decades(first: int, last: int) -> Tensor:
            return mel_power_between(speech, first, last, samples).clamp(min=1e-10).log10()

        pieces = range(0, frames, self.chunk_frames)
        loudest = max(float(decades(at, min(at + self.chunk_frames, frames)).max()) for at in pieces)
        rows = self.chunk_frames // 2
        weights = handover_weights(starts, rows)
        faded: Tensor | None = None  # rows that the chunk before shares with this one
        for k in range(first_chunk, len(starts)):
            first, last = 2 * starts[k], min(2 * (starts[k] + rows), frames)
            mel = (torch.maximum(decades(first, last), torch.tensor(loudest - 8.0)) + 4.0) / 4.0
            mel = F.pad(mel, (0, self.chunk_frames - mel.shape[1])).to(self.conv1.weight)
            block = self(mel[None])[0]
            if len(starts) > 1:
                block = block * weights[k].to(block)[:, None, None]
            if faded is not None:
                block[: len(faded)] += faded
            done = starts[k + 1] - starts[k] if k + 1 < len(starts) else frames // 2 - starts[k]
            yield block[:done]
            faded = block[done:]

    def encode_rows(self, mel: Tensor) -> Tensor:
        """Feature rows of a log-mel of any length.

        Args:
            mel: [n_mels, M].

        Returns:
            [M // 2, n_audio_layer + 1, n_audio_state].
        """
        rows = mel.shape[-1] // 2
        whole = max(self.chunk_frames, mel.shape[-1] + mel.shape[-1] % 2)
        mel = F.pad(mel, (0, whole - mel.shape[-1]))
        starts = chunk_starts(whole // 2, self.chunk_frames // 2)
        if len(starts) == 1:
            return self(mel[None])[0, :rows]
        result = mel.new_zeros(whole // 2, len(self.blocks) + 1, self.config["n_audio_state"])
        for start, weight in zip(starts, handover_weights(starts, self.chunk_frames // 2), strict=True):
            chunk = self(mel[None, :, 2 * start : 2 * start + self.chunk_frames])[0]
            result[start : start + chunk.shape[0]] += chunk * weight.to(chunk)[:, None, None]
        return result[:rows]


def chunk_starts(rows: int, chunk: int) -> list[int]:
    """First rows of the fewest chunks of `chunk` rows that cover `rows` rows with a third of overlap.

    They are spread evenly, so every one is full of sound: the last is not a rest padded with zeros.
    """
    spare = rows - chunk
    steps = math.ceil(spare / (chunk * (1 - CHUNK_OVERLAP)))
    return [round(spare * k / steps) for k in range(steps + 1)] if steps > 0 else [0]


def handover_weights(starts: list[int], chunk: int) -> list[Tensor]:
    """How much each row of each chunk counts; at every position the weights of all chunks sum to one."""
    fade = min(HANDOVER_ROWS, int(chunk * CHUNK_OVERLAP))
    positions = torch.arange(chunk, dtype=torch.float64) + 0.5
    weights = [torch.ones(chunk, dtype=torch.float64) for _ in starts]
    for k in range(1, len(starts)):
        middle = (starts[k] + starts[k - 1] + chunk) / 2
        for weight, start, sign in ((weights[k - 1], starts[k - 1], -1), (weights[k], starts[k], 1)):
            risen = ((positions + start - middle) / fade + 0.5).clamp(0.0, 1.0)
            weight *= risen if sign > 0 else 1.0 - risen
    return weights
