"""A data set of noise with real labels, and networks as small as they come: training in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from eadnet.faces.masks import mask_image
from eadnet.presets import PRESETS
from eadnet.synthetic.expression import EMOTIONS, INDEX, PARAMETERS
from eadnet.training.block import Block
from eadnet.training.denoiser import DenoiserTask, Diffusion
from eadnet.training.latents import LatentSet
from eadnet.training.probe import ExpressionProbe, Targets
from eadnet.training.talker import Talker
from tests.tiny import tiny_components

FRAMES = 16
BLOCK = Block.around(mask_image("face", 128))


def write_clips(folder: Path, count: int = 8, seed: int = 0, pictures: bool = False) -> Path:
    """Clips of all emotions by turns: latents under `latents`, speech and texts beside; pictures if asked."""
    rng = np.random.default_rng(seed)
    latents = folder / "latents"
    latents.mkdir(parents=True)
    for name, lead in (("target", FRAMES), ("masked", FRAMES), ("reference", 2)):
        np.save(latents / f"{name}.npy", rng.normal(size=(count, lead, 4, 16, 16)).astype(np.float16))
    params = np.zeros((count, FRAMES, len(PARAMETERS)), np.float32)
    texts = []
    for row in range(count):
        emotion = list(EMOTIONS)[row % len(EMOTIONS)]
        for name, value in EMOTIONS[emotion].items():
            params[row, :, INDEX[name]] = value * rng.uniform(0.5, 1, FRAMES)
        text = f"looking {emotion} indeed"
        texts.append({"row": row, "text": text, "emotion": emotion, "intensity": 0.7})
    np.save(folder / "params.npy", params)
    np.save(folder / "openings.npy", rng.uniform(0, 0.3, (count, FRAMES)).astype(np.float32))
    speech = (rng.normal(size=(count, FRAMES * 640)) * 3000).astype(np.int16)
    np.save(folder / "speech.npy", speech)
    (folder / "texts.json").write_text(json.dumps(texts))
    if pictures:
        np.save(folder / "frames.npy", rng.integers(0, 255, (count, FRAMES, 128, 128, 3), dtype=np.uint8))
        np.save(folder / "references.npy", np.zeros((count, 2, 128, 128, 3), np.uint8))
    return folder


def latent_set(folder: Path) -> LatentSet:
    return LatentSet(folder / "latents", folder)


def tiny_talker(seed: int = 0) -> Talker:
    torch.manual_seed(seed)
    parts = tiny_components()
    for parameter in parts["unet"].parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    return Talker(parts["unet"], parts["audio_encoder"], parts["text_encoder"])  # type: ignore[arg-type]


def tiny_task(data: LatentSet, seed: int = 0) -> DenoiserTask:
    targets = Targets.of(data)
    torch.manual_seed(1)
    probe = ExpressionProbe(len(targets), BLOCK.side, width=8).eval().requires_grad_(False)
    diffusion = Diffusion.of(PRESETS["mini"].scheduler_config)
    return DenoiserTask(tiny_talker(seed), probe, targets, diffusion, size=128, shared_noise=0.5)
