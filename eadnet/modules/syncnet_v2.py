"""SyncNet v2 (Chung and Zisserman, "Out of time", 2016): the network behind LSE-C, LSE-D and AV offset.

Five frames of a face and 0.2 s of MFCC are embedded in one space, where speech and the lips that made it lie
close together. Parameter names are those of the published `syncnet_v2.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError
from ..media.clips import Frames
from ..media.features import int16_scaled, mfcc
from ..media.images import unit_range

FRAMES = 5
RESOLUTION = 224
CEPSTRA_PER_FRAME = 4
CEPSTRA = 20
SAMPLES_PER_FRAME = 640


def _audio_layer(inputs: int, outputs: int, kernel: tuple[int, int], padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _lip_layer(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> list[nn.Module]:
    convolution = nn.Conv3d(inputs, outputs, kernel, (1, stride, stride), (0, padding, padding))
    return [convolution, nn.BatchNorm3d(outputs), nn.ReLU()]


def _head(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, dim))


class SyncNetV2(nn.Module):
    """Two convolutional streams with one embedding space.

    Args:
        dim: width of the embeddings (1024 as published).
    """

    name = "syncnet_v2"
    num_frames = FRAMES
    silence_beyond_ends = True
    confident = 0.0
    crop = "a square around one face, 1.4 times as large as its box, as the published evaluation crops"

    def __init__(self, dim: int = 1024) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"dim": dim}
        # A pooling of one by one does nothing, but holds its place in the published numbering.
        self.netcnnaud = nn.Sequential(
            *_audio_layer(1, 64, (3, 3), 1),
            nn.MaxPool2d(1, 1),
            *_audio_layer(64, 192, (3, 3), 1),
            nn.MaxPool2d(3, (1, 2)),
            *_audio_layer(192, 384, (3, 3), 1),
            *_audio_layer(384, 256, (3, 3), 1),
            *_audio_layer(256, 256, (3, 3), 1),
            nn.MaxPool2d(3, 2),
            *_audio_layer(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head(dim)
        self.netfclip = _head(dim)
        self.netcnnlip = nn.Sequential(
            *_lip_layer(3, 96, (FRAMES, 7, 7), 2, 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_lip_layer(96, 256, (1, 5, 5), 2, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_lip_layer(256, 256, (1, 3, 3), 1, 1),
            *_lip_layer(256, 256, (1, 3, 3), 1, 1),
            *_lip_layer(256, 256, (1, 3, 3), 1, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_lip_layer(256, 512, (1, 6, 6), 1, 0),
        )
        self.eval()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SyncNetV2:
        return cls(**config)

    def embed_lips(self, video: Tensor) -> Tensor:
        """[N, 3, 5, 224, 224], channels blue, green, red, values 0..255 -> [N, dim]."""
        return self.netfclip(self.netcnnlip(video).flatten(1))

    def embed_audio(self, cepstra: Tensor) -> Tensor:
        """[N, 1, 13, 20] MFCC -> [N, dim]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    @torch.no_grad()
    def embed(self, frames: Frames, waveform: Tensor, batch: int = 16) -> tuple[Tensor, Tensor]:
        """Embeddings at every frame, ready for `eadnet.metrics.sync.sweep`.

        Args:
            frames: [T, 3, H, W], red, green, blue, values 0..1 or uint8, 25 fps; square crops of one face.
            waveform: [S], mono, 16 kHz.
            batch: windows embedded at a time; bounds the memory.

        Returns:
            (video [N, dim], audio [N, dim]), N = min(T, S // 640) - 5 as in the published evaluation.

        Raises:
            InputError: fewer than 6 frames of image or sound.
        """
        count = min(frames.shape[0], waveform.shape[-1] // SAMPLES_PER_FRAME) - FRAMES
        if count < 1:
            raise InputError("the clip is too short for SyncNet: use at least 6 frames (0.24 s) with audio.")
        weight = next(self.parameters())
        cepstra = mfcc(int16_scaled(waveform)).T.unfold(1, CEPSTRA, CEPSTRA_PER_FRAME)
        cepstra = cepstra.transpose(0, 1).unsqueeze(1)[:count]
        video, audio = [], []
        for start in range(0, count, batch):
            stop = min(count, start + batch)
            pictures = unit_range(frames[start : stop + FRAMES - 1], weight).flip(1)
            pictures = _resized(pictures) * 255.0
            windows = pictures.unfold(0, FRAMES, 1).permute(0, 1, 4, 2, 3)
            video.append(self.embed_lips(windows))
            audio.append(self.embed_audio(cepstra[start:stop].to(weight)))
        return torch.cat(video), torch.cat(audio)


def _resized(frames: Tensor) -> Tensor:
    size = (RESOLUTION, RESOLUTION)
    if tuple(frames.shape[-2:]) == size:
        return frames
    # Plain bilinear, as the published evaluation resizes: scores are compared with those in papers.
    return F.interpolate(frames, size, mode="bilinear")
