"""The small speech encoder of the `mini` preset (ours; the EAD-Net paper names no such network).

Every output row depends on the audio within reach (0.7 s with `mini`'s blocks) and on nothing else:
normalisation runs over the channels of one row, and beyond both ends of a recording lies silence. So a long
recording can be encoded in pieces, and appending silence changes nothing that came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..media.features import WHISPER_HOP, mel_power, mel_power_between
from ..media.speech import Speech
from .slices import rows_needed, slice_features
from .speech_encoder import SpeechEncoder

# Quieter than this (white noise of about -46 dBFS) is background: it is not amplified to the level of speech.
QUIETEST_LEVEL = 1e-4
# Bands more than five decades of power (50 dB) below the level of the recording count as silent.
DECADES = 5.0
# Rows that a recording is encoded in at a time when it is streamed: 10 s.
_BLOCK_ROWS = 500


def _decades(power: Tensor, level: Tensor | float) -> Tensor:
    return (power / level).clamp(min=10.0**-DECADES).log10()


def speech_log_mel(waveform: Tensor) -> Tensor:
    """Log-mel at a level that depends on neither loudness, length nor pauses, 100 frames per second.

    Power in Whisper's mel bands, in decades above a floor 50 dB below the level of the recording. The
    level is (sum of power / sum of amplitude)² over time, to which silence adds nothing to either sum;
    a recording of background noise alone keeps its own, lower level. Zero means silence.

    Args:
        waveform: [B, S] or [S], mono, 16 kHz; pad shorter clips of a batch with zeros.

    Returns:
        [B, 80, S // 160] or [80, S // 160], float32.
    """
    return log_mel_of_power(mel_power(waveform, pad_mode="constant"))


def log_mel_of_power(power: Tensor) -> Tensor:
    """`speech_log_mel` of a whole recording's power in mel bands, [..., 80, M] -> same."""
    loudness = power.mean(dim=-2, keepdim=True)
    amplitude = loudness.clamp(min=1e-20).sqrt()
    level = (loudness.sum(dim=-1, keepdim=True) / amplitude.sum(dim=-1, keepdim=True)).square()
    return (_decades(power, level.clamp(min=QUIETEST_LEVEL)) + DECADES) / 2.0


def speech_level(speech: Speech, frames: int) -> float:
    """The level of `speech_log_mel` for the first ``frames`` mel frames, in one pass that holds 10 s."""
    power = amplitude = 0.0
    for start in range(0, frames, 2 * _BLOCK_ROWS):
        loudness = mel_power_between(speech, start, min(start + 2 * _BLOCK_ROWS, frames)).mean(dim=0)
        power += float(loudness.cpu().double().sum())
        amplitude += float(loudness.clamp(min=1e-20).sqrt().cpu().double().sum())
    return max((power / amplitude) ** 2 if amplitude else 0.0, QUIETEST_LEVEL)


def log_mel_between(speech: Speech, first: int, last: int, level: float) -> Tensor:
    """Frames ``first`` to ``last`` of `speech_log_mel` of a recording of this level, [80, last - first]."""
    return (_decades(mel_power_between(speech, first, last), level) + DECADES) / 2.0


class RowNorm(nn.GroupNorm):
    """GroupNorm over the channels of each time step alone; [B, C, R] -> same."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, rows = x.shape
        each = super().forward(x.transpose(1, 2).reshape(batch * rows, channels))
        return each.reshape(batch, rows, channels).transpose(1, 2)


class DilatedBlock(nn.Module):
    """Residual block that looks `dilation` rows to both sides and returns that many rows less per side."""

    def __init__(self, width: int, dilation: int, groups: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm1 = RowNorm(groups, width)
        self.conv1 = nn.Conv1d(width, width, 3, dilation=dilation)
        self.norm2 = RowNorm(groups, width)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(F.gelu(self.norm1(x)))
        hidden = self.conv2(F.gelu(self.norm2(hidden)))
        return x[..., self.dilation : -self.dilation] + hidden


class MiniAudioEncoder(SpeechEncoder):
    """Log-mel at 100 Hz -> strided convolution -> residual dilated convolutions at 50 Hz.

    Args:
        n_mels: mel bands of the input.
        width: channels inside; a multiple of `groups`.
        dim: channels of the output.
        dilations: reach of each residual block in rows of 20 ms.
        groups: groups of the normalisation.
    """

    def __init__(
        self,
        n_mels: int = 80,
        width: int = 128,
        dim: int = 64,
        dilations: Sequence[int] = (1, 2, 4, 8),
        groups: int = 8,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_mels": n_mels,
            "width": width,
            "dim": dim,
            "dilations": list(dilations),
            "groups": groups,
        }
        self.conv_in = nn.Conv1d(n_mels, width, 3)
        self.conv_down = nn.Conv1d(width, width, 3, stride=2)
        self.blocks = nn.ModuleList([DilatedBlock(width, dilation, groups) for dilation in dilations])
        self.norm_out = RowNorm(groups, width)
        self.conv_out = nn.Conv1d(width, dim, 1)
        self.reach = sum(dilations)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MiniAudioEncoder:
        return cls(**config)

    def log_mel(self, waveform: Tensor) -> Tensor:
        """What `forward` expects; see `speech_log_mel`."""
        return speech_log_mel(waveform)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Feature rows, 50 per second; row r is centred on mel frame 2 r.

        Args:
            log_mel: [B, 80, M] from `log_mel`.

        Returns:
            [B, M // 2, dim].
        """
        # All the silence the convolutions look at beyond the ends is put there once, so that inner layers
        # see features of silence, not zeros.
        frames = log_mel.shape[-1] // 2 * 2
        if frames == 0:
            return log_mel.new_zeros(log_mel.shape[0], 0, self.config["dim"])
        before = 2 * self.reach + 2
        after = 2 * self.reach + 1
        hidden = F.pad(log_mel[..., :frames].to(self.conv_in.weight.dtype), (before, after))
        hidden = F.gelu(self.conv_in(hidden))
        hidden = F.gelu(self.conv_down(hidden))
        for block in self.blocks:
            hidden = block(hidden)
        return self.conv_out(F.gelu(self.norm_out(hidden))).transpose(1, 2)

    def encode_windows(
        self, log_mel: Tensor, fps: float | Fraction, num_frames: int, first_frame: int | Tensor = 0
    ) -> Tensor:
        """Audio tokens of one window per clip, differentiable: the path for training.

        Args:
            log_mel: [B, 80, M] of whole clips; silence follows where they end.
            fps: video frames per second.
            num_frames: T.
            first_frame: index of the window's first frame, one for all clips or a LongTensor [B].

        Returns:
            [B, T, 10, dim].
        """
        last_clip_starts = int(torch.as_tensor(first_frame).max())
        missing = 2 * rows_needed(fps, num_frames, last_clip_starts) - log_mel.shape[-1]
        rows = self(F.pad(log_mel, (0, max(0, missing))))
        return slice_features(rows.unsqueeze(-2), fps, num_frames, first_frame)

    def samples_needed(self, fps: float | Fraction, num_frames: int) -> int:
        # Silence follows the audio, not its log-mel, so that the window over its end is heard too.
        return 2 * WHISPER_HOP * rows_needed(fps, num_frames)

    def all_rows(self, waveform: Tensor) -> Tensor:
        return self(self.log_mel(waveform)[None].to(self.conv_in.weight))[0, :, None]

    def row_blocks(self, speech: Speech, samples: int, wanted: int) -> tuple[Iterator[Tensor], int]:
        first = wanted // _BLOCK_ROWS * _BLOCK_ROWS
        frames = samples // WHISPER_HOP
        return self._row_blocks(speech, frames // 2, first, speech_level(speech, frames)), first

    @torch.no_grad()
    def _row_blocks(self, speech: Speech, rows: int, first_row: int, level: float) -> Iterator[Tensor]:
        """Rows [n, 1, dim] from ``first_row`` on; each block is computed with what it reaches."""
        margin = self.reach + 2
        for start in range(first_row, rows, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, rows)
            left, right = max(0, start - margin), min(rows, stop + margin)
            log_mel = log_mel_between(speech, 2 * left, 2 * right, level)
            block = self(log_mel[None].to(self.conv_in.weight))[0]
            yield block[start - left : stop - left, None]
