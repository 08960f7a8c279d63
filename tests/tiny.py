"""A whole checkpoint of random weights, a megabyte: everything that runs, runs in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from eadnet.checkpoints import save_checkpoint
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.modules.mini_audio import MiniAudioEncoder
from eadnet.modules.text_encoder import MiniTextEncoder
from eadnet.modules.tfrm import TFRM
from eadnet.modules.unet import EADUNet
from eadnet.presets import LATENTSYNC_UNET, PRESETS

RESOLUTION = 32

UNET: dict[str, Any] = {
    **LATENTSYNC_UNET,
    "block_out_channels": [16, 32],
    "attention_head_dim": 2,
    "norm_num_groups": 4,
    "cross_attention_dim": 8,
    "down_block_types": ["CrossAttnDownBlock3D"] * 2,
    "up_block_types": ["CrossAttnUpBlock3D"] * 2,
    "layers_per_block": 1,
    "sample_size": RESOLUTION // 8,
    "motion_module_resolutions": [1, 2],
    "motion_module_kwargs": {**LATENTSYNC_UNET["motion_module_kwargs"], "num_attention_heads": 2},
    "ead": {"emotion_attention": True, "emotion_dim": 12, "stda": {"heads": 3, "strip": 2}},
}


def tiny_components() -> dict[str, nn.Module]:
    """One network of each kind, as small as they come; the same weights every time, and none of them zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        components: dict[str, nn.Module] = {
            "unet": EADUNet.from_config(UNET),
            "vae": MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)),
            "audio_encoder": MiniAudioEncoder(width=16, dim=8, dilations=(1, 2), groups=4),
            "text_encoder": MiniTextEncoder(dim=12, length=8, layers=1, heads=2, buckets=64),
            "tfrm": TFRM(hidden=8, top_k=3),
        }
        for component in components.values():
            for parameter in component.parameters():
                if not parameter.any():  # untrained, EAD-Net's parts are identities: here they are to be seen
                    nn.init.normal_(parameter, std=0.2)
        return components


def write_tiny_checkpoint(path: Path) -> Path:
    """Writes the networks as a checkpoint of the preset "mini" in small: 32 pixels, 4 x 4 latents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    info = {**PRESETS["mini"].info(), "preset": "tiny", "resolution": RESOLUTION}
    info["latent_rgb"] = [[0.1, 0.2, 0.3]] * 4 + [[0.5, 0.5, 0.5]]
    save_checkpoint(path, tiny_components(), info)
    return path
