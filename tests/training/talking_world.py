"""People drawn in a few lines, whose mouths open as loudly as they speak, and small networks for them.

Their pixels mean something to the networks that score decoded frames: a VAE that knows these faces decodes
them, where one with random weights decodes grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.training.tasks.autoencoder import set_latent_statistics
from tests.golden_weights import load_golden
from tests.training.prepared_world import SIDE

Crops = tuple[str, np.ndarray, np.ndarray]
FRAMES = 120


def talking_crops(count: int) -> list[Crops]:
    """(name, pictures uint8 [FRAMES, SIDE, SIDE, 3], sound [n]) of so many people."""
    return [_person(number) for number in range(count)]


def _person(number: int) -> Crops:
    rng = np.random.default_rng([0, number])
    knots = rng.uniform(0, 1, FRAMES // 4 + 2)
    knots *= rng.uniform(size=len(knots)) > 0.3
    opening = np.interp(np.arange(FRAMES) / 4, np.arange(len(knots)), knots)
    skin, lips, behind = rng.uniform(90, 230, 3), rng.uniform(60, 200, 3), rng.uniform(20, 200, 3)
    middle, height, width = (
        SIDE / 2 + rng.uniform(-1.5, 1.5),
        SIDE * 0.7 + rng.uniform(-1, 1),
        rng.uniform(5, 7),
    )
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    for picture, open_ in zip(frames, opening, strict=True):
        picture[:] = behind
        _fill(picture, SIDE / 2, SIDE * 0.55, 12, 14, skin)
        for eye in (-5, 5):
            _fill(picture, SIDE / 2 + eye, SIDE * 0.4, 1.7, 1.7, np.full(3, 30.0))
        high = 0.6 + 5 * open_
        _fill(picture, middle, height, width + 1, high + 1.2, lips)
        _fill(picture, middle, height, width, high, np.full(3, 15.0))
    sound = rng.normal(size=FRAMES * 640) * 0.25 * np.repeat(opening, 640)
    return f"drawn_{number}", frames, sound.astype(np.float32)


def _fill(picture: np.ndarray, x: float, y: float, wide: float, high: float, colour: np.ndarray) -> None:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    picture[((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1] = colour


def syncnet_config() -> dict[str, Any]:
    """StableSyncNet of the published form for pictures of 32 x 64 pixels."""
    config = load_golden("stable_syncnet_tiny.config.json")
    config["audio_encoder"]["block_out_channels"] = [32, 32, 64, 128, 256, 256, 256]
    config["visual_encoder"] = {
        "in_channels": 48,
        "block_out_channels": [32, 64, 128, 256, 256, 256],
        "downsample_factors": [[1, 2], 2, 2, 2, 2, 2],
        "attn_blocks": [0, 0, 0, 1, 0, 0],
        "dropout": 0.0,
    }
    return config


def trained_vae(crops: list[Crops], steps: int) -> MiniAutoencoder:
    """A small VAE that knows such pictures."""
    torch.manual_seed(5)
    vae = MiniAutoencoder(32, 1, (32, 16, 8), (1, 1, 1))
    pictures = torch.from_numpy(np.concatenate([frames for _, frames, _ in crops])).movedim(-1, 1) / 127.5 - 1
    optimizer = torch.optim.AdamW(vae.parameters(), 2e-3)
    for step in range(steps):
        some = pictures[torch.randint(len(pictures), (16,))]
        latents = vae.encode(some)
        decoded = vae.decode(latents + 0.05 * torch.randn_like(latents))
        loss = (decoded - some).abs().mean() + 1e-3 * latents.square().mean()
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - 0.95 * step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    set_latent_statistics(vae, pictures[::7])
    return vae.eval()


def write_videomae(folder: Path) -> Path:
    """A VideoMAE with random weights, in the layout of transformers."""
    from transformers import VideoMAEConfig, VideoMAEModel

    sizes: dict[str, Any] = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 96,
    }
    config = VideoMAEConfig(
        image_size=SIDE, patch_size=8, num_frames=16, tubelet_size=2, initializer_range=0.2, **sizes
    )
    torch.manual_seed(9)
    VideoMAEModel(config).save_pretrained(folder, safe_serialization=True)
    return folder
