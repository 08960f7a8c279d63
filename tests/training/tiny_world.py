"""A data set of noise with real labels, and networks as small as they come: training in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from eadnet.faces.masks import mask_image
from eadnet.modules.conditioned_unet import ConditionedUNet
from eadnet.modules.parameter_regressors import LatentParameterRegressor
from eadnet.presets import PRESETS
from eadnet.synthetic.datasets import LAYOUT
from eadnet.synthetic.expression import EMOTIONS, INDEX, PARAMETERS
from eadnet.training.data.latent_crop import LatentCrop
from eadnet.training.data.latents import LatentSet
from eadnet.training.regressors.targets import ParameterTargets
from eadnet.training.tasks.denoiser_task import DenoiserTask
from tests.tiny import tiny_components

FRAMES = 16
CROP = LatentCrop.around(mask_image("face", 128))


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
    LAYOUT.write(folder)
    if pictures:
        np.save(folder / "frames.npy", rng.integers(0, 255, (count, FRAMES, 128, 128, 3), dtype=np.uint8))
        np.save(folder / "references.npy", np.zeros((count, 2, 128, 128, 3), np.uint8))
    return folder


def latent_set(folder: Path) -> LatentSet:
    return LatentSet(folder / "latents", folder)


def tiny_model(seed: int = 0) -> ConditionedUNet:
    torch.manual_seed(seed)
    parts = tiny_components()
    for parameter in parts["unet"].parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    return ConditionedUNet(parts["unet"], parts["audio_encoder"], parts["text_encoder"])  # type: ignore[arg-type]


def tiny_task(data: LatentSet, seed: int = 0) -> DenoiserTask:
    """With a regressor where the data set has facial parameters."""
    if data.params is None:
        return DenoiserTask(tiny_model(seed), PRESETS["mini"])
    targets = ParameterTargets.of(data)
    torch.manual_seed(1)
    regressor = LatentParameterRegressor(len(targets), CROP.side, width=8).eval().requires_grad_(False)
    return DenoiserTask(tiny_model(seed), PRESETS["mini"], regressor, targets)
