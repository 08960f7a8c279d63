"""The small SyncNet of the `mini` preset (ours; shaped after Chung and Zisserman, "Out of time", 2016).

Two towers embed five frames of the mouth and the audio around them on one unit sphere, where what belongs
together lies close. Each frame and each stretch of audio passes its tower once, but for four in 64,
so scoring is quick, and memory holds the embeddings alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..media.clips import Frames
from ..media.features import WHISPER_HOP
from ..media.images import unit_range
from ..media.speech import Speech, SpeechInMemory
from .mini_audio import RowNorm, log_mel_between, speech_level

FRAMES = 5
FPS = 25
SAMPLES_PER_FRAME = 640
MELS_PER_FRAME = 4
# What an audio embedding covers, in mel frames of 10 ms: its five video frames and 70 ms to either side.
MELS_PER_WINDOW = 34
MARGIN_MELS = (MELS_PER_WINDOW - MELS_PER_FRAME * FRAMES) // 2

RESOLUTION = 128
# Top, left, height and width of the mouth in a 128 pixel crop framed as `mini` draws and expects it.
MOUTH = (72, 40, 40, 48)


def _picture_layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()]


def _row_layer(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv1d(inputs, outputs, kernel, stride), RowNorm(8, outputs), nn.SiLU()]


def _last_layer(inputs: int, dim: int) -> list[nn.Module]:
    # Centred over the batch: a direction that all embeddings share says nothing, and training falls into it.
    return [nn.Conv1d(inputs, dim, 1, bias=False), nn.BatchNorm1d(dim, affine=False)]


class MiniSyncNet(nn.Module):
    """Unit embeddings of mouth and sound, one per window of five frames.

    Args:
        widths: channels of the image tower, coarser by two from one to the next.
        hidden: channels of both towers along time.
        dim: width of the embeddings.
    """

    name = "mini"
    num_frames = FRAMES
    silence_beyond_ends = False
    # Other clips' sound reaches it in 1 % of validation clips of 3 s; on test clips: docs/results/sync.md.
    confident = 0.21
    crop = "the square crop of EAD-Net's mini: the whole head, the mouth at 0.72 of the height"

    def __init__(
        self, widths: Sequence[int] = (24, 48, 96, 128), hidden: int = 192, dim: int = 128, n_mels: int = 80
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "widths": list(widths),
            "hidden": hidden,
            "dim": dim,
            "n_mels": n_mels,
        }
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = 12
        for level, width in enumerate(widths):
            layers += _picture_layer(before, width, 1 if level == 0 else 2)
            if 0 < level < len(widths) - 1:
                layers += _picture_layer(width, width, 1)
            before = width
        places = math.prod(math.ceil(side / 2 ** len(widths)) for side in MOUTH[2:])
        layers += [nn.Flatten(), nn.Linear(before * places, hidden)]
        self.picture = nn.Sequential(*layers)
        self.motion = nn.Sequential(
            RowNorm(8, hidden),
            nn.SiLU(),
            *_row_layer(hidden, hidden, 3),
            *_row_layer(hidden, hidden, 3),
            *_last_layer(hidden, dim),
        )
        # Kernels and strides add up to MELS_PER_WINDOW mel frames, one step per video frame.
        self.sound = nn.Sequential(
            *_row_layer(n_mels, 128, 4, 2),
            *_row_layer(128, hidden, 4, 2),
            *_row_layer(hidden, hidden, 3),
            *_row_layer(hidden, hidden, 3),
            *_row_layer(hidden, hidden, 3),
            *_last_layer(hidden, dim),
        )
        self.eval()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MiniSyncNet:
        return cls(**config)

    def frame_features(self, mouths: Tensor) -> Tensor:
        """Mouths [N, 3, 40, 48] in -1..1 -> what the image tower makes of each, [N, hidden]."""
        return self.picture(mouths)

    def embed_video(self, features: Tensor) -> Tensor:
        """Features [B, T, hidden] of consecutive frames -> unit [B, T - 4, dim]."""
        return F.normalize(self.motion(features.transpose(1, 2)).transpose(1, 2), dim=-1)

    def embed_audio(self, log_mel: Tensor) -> Tensor:
        """`speech_log_mel` [B, 80, M] of whole clips -> unit [B, M // 4 - 4, dim]; silence lies around."""
        whole = log_mel[..., : log_mel.shape[-1] // MELS_PER_FRAME * MELS_PER_FRAME]
        return self.embed_sound(F.pad(whole, (MARGIN_MELS, MARGIN_MELS)))

    def embed_sound(self, padded: Tensor) -> Tensor:
        """The same of log-mel [B, 80, 4 T + 14] with the 70 ms before and after T frames."""
        return F.normalize(self.sound(padded).transpose(1, 2), dim=-1)

    def embed_pairs(self, mouths: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Unit [B, T - 4, dim] each: of mouths [B, T, 3, 40, 48] in -1..1, of `embed_sound`'s log-mel."""
        features = self.frame_features(mouths.flatten(0, 1)).unflatten(0, mouths.shape[:2])
        return self.embed_video(features), self.embed_sound(padded)

    @torch.no_grad()
    def embed(self, frames: Frames, waveform: Tensor, batch: int = 64) -> tuple[Tensor, Tensor]:
        """Embeddings at every frame, ready for `eadnet.metrics.sync.sweep`.

        Nothing but the embeddings themselves grows with the clip: 26 kB a second.

        Args:
            frames: [T, 3, H, W], red, green, blue, values 0..1 or uint8, 25 fps; crops framed as
                `mini` expects them.
            waveform: [S], mono, 16 kHz.
            batch: frames embedded at a time; bounds the memory.

        Returns:
            (video [N, dim], audio [N, dim]), N = min(T, S // 640) - 4.

        Raises:
            InputError: fewer than 5 frames of image or sound.
        """
        count = min(frames.shape[0], waveform.shape[-1] // SAMPLES_PER_FRAME) - FRAMES + 1
        if count < 1:
            raise InputError(
                f"the clip is too short for SyncNet: use at least {FRAMES} frames ({FRAMES / FPS:.2f} s) "
                "with audio."
            )
        weight = next(self.parameters())
        speech = SpeechInMemory(waveform)
        level = speech_level(speech, waveform.shape[-1] // WHISPER_HOP)
        video = weight.new_empty(count, self.config["dim"])
        audio = torch.empty_like(video)
        for start in range(0, count, batch):
            stop = min(count, start + batch)
            mouths = mouth_of(frames[start : stop + FRAMES - 1], weight)
            video[start:stop] = self.embed_video(self.frame_features(mouths)[None])[0]
            mels = _log_mels(speech, start, stop, count + FRAMES - 1, level).to(weight)
            audio[start:stop] = self.embed_sound(mels[None])[0]
        return video, audio


def _log_mels(speech: Speech, start: int, stop: int, frames: int, level: float) -> Tensor:
    """Log-mel of the windows ``start`` to ``stop`` of a clip of ``frames``; silence outside the clip."""
    first = MELS_PER_FRAME * start - MARGIN_MELS
    last = MELS_PER_FRAME * (stop - 1) - MARGIN_MELS + MELS_PER_WINDOW
    inside = max(0, first), min(last, MELS_PER_FRAME * frames)
    return F.pad(log_mel_between(speech, *inside, level), (inside[0] - first, last - inside[1]))


def mouth_of(crops: Tensor, like: Tensor | None = None) -> Tensor:
    """Crops [N, 3, H, W], uint8 or 0..1 -> mouths [N, 3, 40, 48] in -1..1, as the image tower takes them.

    In the type and on the device of ``like``, of the crops if None (then they are no uint8).
    """
    like = crops if like is None else like
    size = (RESOLUTION, RESOLUTION)
    if tuple(crops.shape[-2:]) != size:
        crops = F.interpolate(unit_range(crops, like), size, mode="bilinear", antialias=True)
    top, left, height, width = MOUTH
    # Cut out while they are small: a sixth of the image.
    return unit_range(crops[:, :, top : top + height, left : left + width], like) * 2.0 - 1.0
