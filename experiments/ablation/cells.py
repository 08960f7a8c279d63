"""One variant with one seed: trained, sampled on held-out clips, measured, and kept."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eadnet.checkpoints import Checkpoint
from eadnet.errors import InputError
from eadnet.faces.masks import composite, feathered, mask_image
from eadnet.metrics.mouth import correlation
from eadnet.metrics.sync import sweep
from eadnet.modules.conditioned_unet import ConditionedUNet
from eadnet.modules.mini_syncnet import FRAMES as SYNC_FRAMES
from eadnet.modules.parameter_regressors import ParameterRegressor
from eadnet.modules.tfrm import TFRM
from eadnet.presets import PRESETS
from eadnet.rendering import Model, RenderSettings
from eadnet.training.data.clips import ClipSet, labels_of
from eadnet.training.data.images import to_model_range
from eadnet.training.data.latents import LatentSet
from eadnet.training.losses.weights import FrozenNetworks, Weights, build_losses
from eadnet.training.regressors.pictures import true_values
from eadnet.training.tasks.autoencoder import psnr
from eadnet.training.tasks.denoiser import Schedule, train_denoiser
from eadnet.training.tasks.denoiser_task import DenoiserTask, switch_stda
from experiments.ablation.variants import Variant, as_read_by, text_for
from experiments.clip_renderer import ClipRenderer
from experiments.emotion_classifier import EmotionClassifier
from experiments.measures import acceleration
from experiments.readings import OPENING

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """What is the same for all variants: steps of training, seeds, weights, and how results are sampled."""

    steps: int = 600
    seeds: int = 3
    sync: float = 0.05
    trepa: float = 0.1
    tfrm: float = 0.05
    clips: int = 16
    sampling_steps: int = 6
    rate: float = 8e-4

    def check(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for name, low in (("steps", 1), ("seeds", 2), ("clips", 3), ("sampling_steps", 1)):
            if getattr(self, name) < low:
                words = name.replace("_", " ")
                raise InputError(f"The number of {words} is {getattr(self, name)}: give {low} or more.")


@dataclass(frozen=True)
class Parts:
    """What the cells share. `task` makes the model of a seed with its encoders trained, ready to train;
    `frames` are the held-out clips as rendered.
    """

    data: LatentSet
    held_out: LatentSet
    frames: ClipSet
    task: Callable[[int], DenoiserTask]
    networks: FrozenNetworks
    regressor: ParameterRegressor
    classifier: EmotionClassifier


def cells(variants: tuple[Variant, ...], seeds: int) -> Iterator[tuple[Variant, int]]:
    """Seed by seed, so that an interrupted comparison is even."""
    for seed in range(seeds):
        for variant in variants:
            yield variant, seed


def folder_of(root: Path, variant: Variant, seed: int) -> Path:
    return root / variant.name.replace(",", "").replace(" ", "-").lower() / f"seed-{seed}"


def run_cell(parts: Parts, protocol: Protocol, variant: Variant, seed: int, root: Path) -> dict[str, float]:
    """Train and measure, or read what was measured before. Training goes on where it was killed."""
    folder = folder_of(root, variant, seed)
    result = folder / "result.json"
    if result.exists():
        kept: dict[str, float] = json.loads(result.read_text())
        return kept
    logger.info("%s, seed %d", variant.name, seed)
    model = train_cell(parts, protocol, variant, seed, folder)
    found = measure(parts, protocol, partial(rendered, parts, protocol, variant, model))
    unfinished = result.with_suffix(".partial")
    unfinished.write_text(json.dumps(found, indent=1))
    os.replace(unfinished, result)
    return found


def train_cell(
    parts: Parts, protocol: Protocol, variant: Variant, seed: int, folder: Path
) -> ConditionedUNet:
    """The variant's model after the protocol's steps. Equal steps and batches, whatever a step costs."""
    task = parts.task(seed)
    weights = Weights(
        sync=protocol.sync if variant.sync else 0.0,
        trepa=protocol.trepa if variant.trepa else 0.0,
        tfrm=protocol.tfrm if variant.tfrm else 0.0,
    )
    how = Schedule(
        steps=protocol.steps,
        stda_from=0.0 if variant.stda else 2.0,
        rate=protocol.rate,
        seed=seed,
    )
    data, held_out = (as_read_by(variant, x) for x in (parts.data, parts.held_out))
    extra = build_losses(weights, task, parts.networks)
    model = train_denoiser(task, data, held_out, folder / "denoiser", how, extra)
    switch_stda(model.unet, variant.stda)
    return model


def renderer_of(
    protocol: Protocol, variant: Variant, model: ConditionedUNet, vae: nn.Module, tfrm: TFRM | None
) -> ClipRenderer:
    """The trained variant as a finished model with the settings of the protocol."""
    finished = Model(
        checkpoint=Checkpoint(Path("ablation"), PRESETS["mini"].info(), {}),
        unet=model.unet,
        vae=vae,
        audio_encoder=model.audio_encoder,
        text_encoder=model.text_encoder,
        tfrm=tfrm,
    )
    guidance = 1.0 if variant.texts == "none" else None
    return ClipRenderer(
        finished, RenderSettings(steps=protocol.sampling_steps, emotion_guidance=guidance, silence_gate=False)
    )


def rendered(parts: Parts, protocol: Protocol, variant: Variant, model: ConditionedUNet, clip: int) -> Tensor:
    """A held-out clip [T, 3, S, S] whose face is regenerated from its own sound and text."""
    clips, tfrm = parts.frames, parts.networks.tfrm() if variant.tfrm else None
    entry = clips.texts[clip]
    return renderer_of(protocol, variant, model, parts.networks.vae().eval(), tfrm)(
        clips.frames[clip],
        clips.waveform(clip),
        text_for(variant, entry["text"], entry["emotion"]),
        clips.frames.shape[1],
        seed=clip,
        reference=clips.references[clip, 0],
    )


@torch.no_grad()
def measure(parts: Parts, protocol: Protocol, render: Callable[[int], Tensor] | None) -> dict[str, float]:
    """Means over held-out clips of what `render` makes of each, pictures [T, 3, S, S] in [-1, 1]; without it
    those of the true clips through the VAE: the ceiling.
    """
    clips = parts.frames
    count = min(protocol.clips, len(clips))
    vae, syncnet = parts.networks.vae().eval(), parts.networks.syncnet().eval()
    readings, rows = [], []
    for clip in range(count):
        truth = to_model_range(clips.frames[clip])
        region = mask_image("face", truth.shape[-1])
        pictures = _coded(truth, vae, region) if render is None else render(clip)
        read = parts.regressor.read(pictures)
        readings.append(read)
        opening, other = (torch.from_numpy(labels_of(clips).openings[i % count]) for i in (clip, clip + 1))
        rows.append(
            {
                "mouth": correlation(read[OPENING], opening),
                "mouth, mismatched": correlation(read[OPENING], other),
                "emotion": float(parts.classifier(read) == clips.texts[clip]["emotion"]),
                "PSNR": psnr(pictures, truth, region),
                "jitter": acceleration(pictures, region) / acceleration(truth, region),
                "sync confidence": _confidence(syncnet, pictures, clips.waveform(clip)),
            }
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return means | {"expression": _expression(parts, readings)}


def _coded(truth: Tensor, vae: Any, region: Tensor) -> Tensor:
    """True pictures whose region went through the VAE."""
    coded = torch.cat([vae.decode(vae.encode(part)).clamp(-1, 1) for part in truth.split(16)])
    return composite(coded, truth, feathered(region, truth.shape[-1] // 32))


def _confidence(syncnet: Any, pictures: Tensor, speech: Tensor) -> float:
    """The confidence of mini's SyncNet; it supervised some variants, which flatters them."""
    if len(pictures) < SYNC_FRAMES:
        return float("nan")
    video, audio = syncnet.embed((pictures + 1) / 2, speech)
    return float(sweep(video, audio, silence_beyond_ends=False).confidence)


def _expression(parts: Parts, readings: list[dict[str, Tensor]]) -> float:
    """Mean over readings of r over clips between a clip's mean reading and the truth, what varies only."""
    truth = true_values(parts.frames)[: len(readings)].mean(1)
    values = []
    for column, name in enumerate(readings[0]):
        target = truth[:, column]
        if name != OPENING and float(target.std()) > 0.02:
            values.append(correlation(torch.stack([r[name].mean() for r in readings]), target.float()))
    return float(np.mean(values)) if values else float("nan")


def same_protocol(root: Path, protocol: Protocol, start: str) -> None:
    """Note the protocol and what all went on from in `root`. Raises InputError where other cells there
    followed another one.

    More seeds may be added to what is there.
    """
    notes, now = root / "protocol.json", {**asdict(replace(protocol, seeds=0)), "start": start}
    if notes.exists() and (before := json.loads(notes.read_text())) != now:
        other = ", ".join(f"{k} {before.get(k)}" for k in now if before.get(k) != now[k])
        raise InputError(f"{root} holds cells of another protocol ({other}): choose a new folder.")
    root.mkdir(parents=True, exist_ok=True)
    notes.write_text(json.dumps(now))
