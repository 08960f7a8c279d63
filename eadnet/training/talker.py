"""The denoiser with its two encoders, trained as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..modules.mini_audio import MiniAudioEncoder
from ..modules.text_encoder import MiniTextEncoder
from ..modules.unet import EADUNet
from .dataset import FPS


def hear(encoder: MiniAudioEncoder, waveforms: Tensor, starts: Tensor, window: int) -> Tensor:
    """Audio tokens [B, window, N, D] of `window` frames from frame `starts` of each waveform [B, S]."""
    return encoder.encode_windows(encoder.log_mel(waveforms), FPS, window, starts)


def grown(encoder: MiniAudioEncoder, config: Mapping[str, Any]) -> MiniAudioEncoder:
    """A deeper encoder that computes what `encoder` does: blocks beyond its own add nothing at first."""
    deeper = MiniAudioEncoder.from_config({**encoder.config, **config})
    deeper.load_state_dict({**deeper.state_dict(), **encoder.state_dict()})
    for name, parameter in deeper.blocks[len(encoder.blocks) :].named_parameters():
        if name.split(".")[-2] == "conv2":
            nn.init.zeros_(parameter)
    return deeper


class Talker(nn.Module):
    """Three networks under the names they have in a checkpoint."""

    def __init__(self, unet: EADUNet, audio: MiniAudioEncoder, text: MiniTextEncoder) -> None:
        super().__init__()
        self.unet, self.audio_encoder, self.text_encoder = unet, audio, text
