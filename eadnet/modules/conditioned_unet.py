"""The U-Net with the two encoders of its conditions, trained as one."""

from __future__ import annotations

from torch import nn

from .mini_audio import MiniAudioEncoder
from .text_encoder import MiniTextEncoder
from .unet import EADUNet


class ConditionedUNet(nn.Module):
    """Three networks under the names they have in a checkpoint."""

    def __init__(self, unet: EADUNet, audio_encoder: MiniAudioEncoder, text_encoder: MiniTextEncoder) -> None:
        super().__init__()
        self.unet, self.audio_encoder, self.text_encoder = unet, audio_encoder, text_encoder
