"""The model of motion in small: everything of it, untrained, in a moment."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from eadnet.checkpoints import save_checkpoint
from eadnet.modules.conditioned_unet import ConditionedUNet
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.modules.motion_codec import MotionCodec
from eadnet.modules.text_encoder import MiniTextEncoder
from eadnet.modules.tfrm import TFRM
from eadnet.modules.unet import EADUNet
from eadnet.presets import PRESETS
from eadnet.rig.expression import PARAMETERS, RANGES
from tests.tiny import UNET

MOTION = PRESETS["motion"]


def tiny_codec() -> MotionCodec:
    low, high = RANGES.T.tolist()
    codec = MotionCodec(PARAMETERS, low, high)
    faces = torch.rand(200, len(PARAMETERS), generator=torch.Generator().manual_seed(3))
    codec.standardise(codec._low + faces * (codec._high - codec._low))
    return codec


def tiny_parts() -> dict[str, nn.Module]:
    """One network of each kind; no weight of the U-Net is zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = EADUNet.from_config(
            {
                **UNET,
                "motion_module_kwargs": MOTION.unet_config["motion_module_kwargs"],
                "attention_head_dim": 4,
            }
        )
        for parameter in unet.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
        return {
            "unet": unet,
            "codec": tiny_codec(),
            "audio_encoder": MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4),
            "text_encoder": MiniTextEncoder(dim=12, length=8, layers=1, heads=2, buckets=64),
            "tfrm": TFRM(hidden=8, top_k=3),
        }


def tiny_model() -> ConditionedUNet:
    parts = tiny_parts()
    return ConditionedUNet(parts["unet"], parts["audio_encoder"], parts["text_encoder"])  # type: ignore[arg-type]


def write_tiny_motion(path: Path) -> Path:
    save_checkpoint(path, tiny_parts(), MOTION.info())
    return path
