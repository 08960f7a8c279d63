"""One variant with one seed: trained, sampled on held-out clips, measured, and kept."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.errors import InputError
from eadnet.faces.masks import mask_image
from eadnet.metrics.mouth import correlation
from eadnet.metrics.sync import sweep
from eadnet.modules.mini_syncnet import FRAMES as SYNC_FRAMES
from eadnet.modules.tfrm import TFRM
from eadnet.pipeline import smooth
from eadnet.presets import PRESETS
from eadnet.sampling import Conditions, sample
from eadnet.training.autoencoder import psnr, to_model_range
from eadnet.training.dataset import FPS, ClipSet
from eadnet.training.denoiser import DenoiserTask, Schedule, switch_stda, train_denoiser
from eadnet.training.instrument import Instrument
from eadnet.training.latents import LatentSet
from eadnet.training.losses.weights import Judges, Weights, build
from eadnet.training.talker import Talker
from experiments.ablation.variants import Variant, as_read_by
from experiments.clip_renderer import OPENING, acceleration
from experiments.emotion_classifier import EmotionReader

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
    """What the cells share. `task` makes the talker of a seed with its encoders taught, ready to train;
    `frames` are the held-out clips as rendered.
    """

    data: LatentSet
    held_out: LatentSet
    frames: ClipSet
    task: Callable[[int], DenoiserTask]
    judges: Judges
    instrument: Instrument
    reader: EmotionReader


def cells(variants: tuple[Variant, ...], protocol: Protocol) -> Iterator[tuple[Variant, int]]:
    """Seed by seed, so that an interrupted comparison is even."""
    for seed in range(protocol.seeds):
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
    talker, task = train_cell(parts, protocol, variant, seed, folder)
    tfrm = parts.judges.tfrm() if variant.tfrm else None
    found = measure(parts, protocol, variant, task, talker, tfrm)
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1))
    os.replace(partial, result)
    return found


def train_cell(
    parts: Parts, protocol: Protocol, variant: Variant, seed: int, folder: Path
) -> tuple[Talker, DenoiserTask]:
    """The variant's talker after the protocol's steps. Equal steps and batches, whatever a step costs."""
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
    extra = build(weights, task, parts.judges)
    talker = train_denoiser(task, data, held_out, folder / "denoiser", how, extra)
    switch_stda(talker.unet, variant.stda)
    return talker, task


@torch.no_grad()
def generated(
    protocol: Protocol, variant: Variant, task: DenoiserTask, talker: Talker, data: LatentSet, clip: int
) -> Tensor:
    """Latents [T, 4, h, w] of a held-out clip whose face is generated anew from its own sound and text."""
    preset, frames = PRESETS["mini"], data.target.shape[1]
    emotion, null = talker.text_encoder.encode([data.texts[clip]["text"], ""])
    felt = variant.texts != "none"
    conditions = Conditions(
        masked_latents=data.masked[clip].float(),
        mask=task.keep[None].expand(frames, -1, -1, -1),
        reference_latents=data.reference[clip, 0].float()[None].expand(frames, -1, -1, -1),
        audio=talker.audio_encoder.encode_speech(data.waveforms(torch.tensor([clip]))[0], FPS, frames),
        emotion=emotion if felt else None,
        null_emotion=null,
    )
    return sample(
        talker.unet,
        conditions,
        scheduler_config=preset.scheduler_config,
        steps=protocol.sampling_steps,
        audio_guidance=preset.defaults["audio_guidance"],
        emotion_guidance=preset.defaults["emotion_guidance"] if felt else 1.0,
        seed=clip,
        shared_noise=preset.defaults["shared_noise"],
    )


@torch.no_grad()
def measure(
    parts: Parts,
    protocol: Protocol,
    variant: Variant | None,
    task: DenoiserTask,
    talker: Talker | None,
    tfrm: TFRM | None,
) -> dict[str, float]:
    """Means over held-out clips; without a variant those of the true clips, coded: the ceiling."""
    held_out = parts.held_out if variant is None else as_read_by(variant, parts.held_out)
    count = min(protocol.clips, len(held_out))
    vae, judge = parts.judges.vae().eval(), parts.judges.syncnet().eval()
    readings, rows = [], []
    for clip in range(count):
        latents = held_out.target[clip].float()
        if variant is not None and talker is not None:
            latents = generated(protocol, variant, task, talker, held_out, clip)
            latents = smooth(tfrm, latents, 1.0)
        pictures = torch.cat([vae.decode(part).clamp(-1, 1) for part in latents.split(16)])
        truth = to_model_range(np.array(parts.frames.frames[clip]))
        region = mask_image("face", truth.shape[-1])
        pictures = truth * (1 - region) + pictures * region
        read = parts.instrument.read(pictures)
        readings.append(read)
        speech = held_out.waveforms(torch.tensor([clip]))[0]
        opening, other = (held_out.openings[i % count] for i in (clip, clip + 1))
        rows.append(
            {
                "mouth": correlation(read[OPENING], opening),
                "mouth, mismatched": correlation(read[OPENING], other),
                "emotion": float(parts.reader(read) == held_out.texts[clip]["emotion"]),
                "PSNR": psnr(pictures, truth, region),
                "jitter": acceleration(pictures, region) / acceleration(truth, region),
                "sync confidence": _confidence(judge, pictures, speech),
            }
        )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return means | {"expression": _expression(parts, readings)}


def _confidence(judge: torch.nn.Module, pictures: Tensor, speech: Tensor) -> float:
    """What mini's SyncNet thinks; it supervised some variants, which flatters them."""
    if len(pictures) < SYNC_FRAMES:
        return float("nan")
    video, audio = judge.embed((pictures + 1) / 2, speech)  # type: ignore[operator]
    return float(sweep(video, audio, silence_beyond_ends=False).confidence)


def _expression(parts: Parts, readings: list[dict[str, Tensor]]) -> float:
    """Mean over readings of r over clips between a clip's mean reading and the truth, what varies only."""
    from eadnet.training.instrument import true_values

    truth = true_values(parts.frames)[: len(readings)].mean(1)
    values = []
    for column, name in enumerate(readings[0]):
        wanted = truth[:, column]
        if name != OPENING and float(wanted.std()) > 0.02:
            values.append(correlation(torch.stack([r[name].mean() for r in readings]), wanted.float()))
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
