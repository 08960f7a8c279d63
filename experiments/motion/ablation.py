"""`python -m experiments motion_ablation`: what each part of the paper's objective is worth to `motion`.

The same U-Net on maps of motion from the beginning of training, with and without each part, in seeds that all
saw the same takes and noise. Judged on drawn performers, whose truth is known, and on recordings of people.
Encoders and codec are those of `--encoders`. Cells that are finished are kept, so that it can be stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from eadnet.checkpoints import Checkpoint
from eadnet.driving.motion import MotionModel, motion_track
from eadnet.errors import InputError
from eadnet.media.speech import SpeechInMemory
from eadnet.modules.conditioned_unet import ConditionedUNet
from eadnet.modules.unet import EADUNet
from eadnet.rendering import RenderSettings
from eadnet.rig.expression import INDEX
from eadnet.rig.track import GROUPS
from eadnet.synthetic.captions import Description
from eadnet.training.data.motion import MotionSet
from eadnet.training.losses.motion import Critics, motion_losses
from eadnet.training.losses.weights import Weights
from eadnet.training.recipes.motion import FRAMES, MOTION, VERSIONS, new_task
from eadnet.training.recipes.motion_critics import train_critics
from eadnet.training.recipes.motion_data import encode_talk, held_out_performer, training_performer
from eadnet.training.tasks.denoiser import Schedule, train_denoiser
from eadnet.training.tasks.denoiser_task import switch_stda
from eadnet.training.tasks.motion import MotionTask
from experiments.ablation.cells import cells, folder_of
from experiments.ablation.table import as_markdown
from experiments.ablation.variants import VARIANTS, Variant, text_for
from experiments.motion.command import talk_cases
from experiments.motion.measures import (
    Array,
    Case,
    expression_r,
    followed,
    lips_shut,
    mouth_r,
    opening,
)
from experiments.speech.clips import TalkingClip
from experiments.speech.command import people
from experiments.speech.measures import followed as people_followed
from experiments.speech.measures import ridge_curves

logger = logging.getLogger(__name__)

DENOISING = Variant("denoising and expression alone", tfrm=False, sync=False, trepa=False)
"""What the bundled weights were trained with."""
COMPARED = (VARIANTS[0], DENOISING, *VARIANTS[1:])

MEASURES: dict[str, tuple[str, int]] = {
    "mouth": ("mouth r", 3),
    "mouth, mismatched": ("another's sound", 2),
    "shut": ("lips shut", 2),
    "shut, wrongly": ("wrongly", 2),
    "expression": ("expression r", 3),
    "swapped": ("swapped followed", 2),
    "jitter": ("jitter, of the truth's", 2),
    "people": ("people: median r", 3),
    "people, mean": ("mean r", 3),
    "people, mismatched": ("another's sound", 2),
    "people, ridge beaten": ("ridge beaten, of all", 1),
}


@dataclass(frozen=True)
class Protocol:
    """What is the same for all variants: steps and frames of training, rate, seeds, weights, cases."""

    steps: int = 300
    frames: int = 96
    rate: float = 1.2e-3
    seeds: int = 3
    sync: float = 0.05
    trepa: float = 0.02
    tfrm: float = 0.25
    cases: int = 16

    def check(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for name, low in (("steps", 1), ("seeds", 1), ("cases", 3), ("frames", 48)):
            if getattr(self, name) < low:
                raise InputError(f"The number of {name} is {getattr(self, name)}: give {low} or more.")


@dataclass(frozen=True)
class Judged:
    """Held-out drawn performers, and people with what a ridge on the others' recordings makes of each."""

    cases: Sequence[Case]
    clips: Sequence[TalkingClip]
    ridge: Sequence[float]

    @classmethod
    def of(cls, cases: Sequence[Case], clips: Sequence[TalkingClip]) -> Judged:
        curves = ridge_curves(clips, [clip.waveform for clip in clips], lambda clip: clip.name)
        return cls(cases, clips, [one.r for one in people_followed(clips, curves)])


@dataclass(frozen=True)
class Shared:
    """What all cells have in common. `task` has, for a seed, frozen encoders and an untrained U-Net; `folder`
    holds what was encoded for training.
    """

    folder: Path
    task: Callable[[int], MotionTask]
    critics: Critics
    judged: Judged


def said_of(variant: Variant) -> Callable[[Description], str]:
    """What the variant reads of a description."""
    return lambda feeling: text_for(variant, feeling.text, feeling.emotion)


def prepare(folder: Path, talk: Path, encoders: Path) -> None:
    """Encode talk as training needs it, once; what is not for training is held out."""
    encoder = new_task(encoders, encoders).model.audio_encoder
    for split, parts in (("train", ("train",)), ("validation", ("speakers", "sentences"))):
        if not (folder / split / "mouths.npy").exists():
            encode_talk(talk, folder / split, encoder, parts, VERSIONS, FRAMES)


def task_of(encoders: Path, seed: int) -> MotionTask:
    """The task with frozen encoders and codec, and a U-Net that begins at the seed's random weights."""
    task = new_task(encoders, encoders)
    torch.manual_seed(seed)
    parts = task.model
    fresh = ConditionedUNet(EADUNet.from_config(MOTION.unet_config), parts.audio_encoder, parts.text_encoder)
    return task.with_model(fresh.train())


def train_cell(shared: Shared, protocol: Protocol, variant: Variant, seed: int, folder: Path) -> MotionModel:
    """The variant's model after the protocol's steps. Equal steps and batches, whatever a step costs."""
    task = shared.task(seed)
    weights = Weights(
        sync=protocol.sync if variant.sync else 0.0,
        trepa=protocol.trepa if variant.trepa else 0.0,
        tfrm=protocol.tfrm if variant.tfrm else 0.0,
    )
    how = Schedule(
        steps=protocol.steps,
        frames=protocol.frames,
        short_steps=1,
        stda_from=0.0 if variant.stda else 2.0,
        rate=protocol.rate,
        expression=1.0,
        mouth=2.0,
        seed=seed,
    )
    data = MotionSet(shared.folder / "train", partial(training_performer, said=said_of(variant)))
    extra = motion_losses(weights, shared.critics, task.codec, task.spoken)
    model = train_denoiser(task, data, None, folder, how, extra)  # type: ignore[arg-type]
    switch_stda(model.unet, variant.stda)
    return MotionModel(
        Checkpoint(Path("ablation"), MOTION.info(), {}),
        model.unet,
        task.codec,
        model.audio_encoder,
        model.text_encoder,
        shared.critics.tfrm if variant.tfrm else None,
    )


def measure(model: MotionModel, judged: Judged, variant: Variant) -> dict[str, float]:
    """Of what a model makes of held-out sound and sentences, and of people's sound."""

    def made(waveform: torch.Tensor, text: str, frames: int, seed: int) -> Array:
        settings = RenderSettings(seed=seed)
        track = motion_track(SpeechInMemory(waveform), text, frames, model=model, settings=settings)
        values: Array = track.values.numpy()
        return values

    cases = judged.cases
    texts = [text_for(variant, case.text, case.emotion) for case in cases]
    faces = [case.face for case in cases]
    own, other = (
        [made(c.waveform, text, FRAMES, seed) for seed, (c, text) in enumerate(zip(cases, read, strict=True))]
        for read in (texts, texts[1:] + texts[:1])
    )
    curves = [
        opening(made(torch.from_numpy(np.asarray(clip.waveform, np.float32)), "", len(clip), seed))
        for seed, clip in enumerate(judged.clips)
    ]
    found = people_followed(judged.clips, curves)
    shut, wrongly = lips_shut(own, cases)
    moved = [INDEX[name] for name in (*GROUPS["mouth"], *GROUPS["emotion"])]

    def unrest(tracks: Sequence[Array]) -> float:
        return float(np.mean([np.abs(np.diff(track[:, moved], 2, axis=0)).mean() for track in tracks]))

    return {
        "mouth": float(np.mean(mouth_r(own, cases))),
        "mouth, mismatched": float(np.mean(mouth_r(own[1:] + own[:1], cases))),
        "shut": shut,
        "shut, wrongly": wrongly,
        "expression": expression_r(own, faces),
        "swapped": followed(other, faces[1:] + faces[:1], faces),
        "jitter": unrest(own) / unrest([case.truth for case in cases]),
        "people": float(np.median([one.r for one in found])),
        "people, mean": float(np.mean([one.r for one in found])),
        "people, mismatched": float(np.median([one.mismatched for one in found])),
        "people, ridge beaten": float(
            sum(one.r > ridge for one, ridge in zip(found, judged.ridge, strict=True))
        ),
    }


def ceiling(judged: Judged) -> dict[str, float]:
    """What drawn performers show themselves, and what the ridge has of people."""
    true, faces = [case.truth for case in judged.cases], [case.face for case in judged.cases]
    return {
        "mouth": 1.0,
        "mouth, mismatched": float(np.mean(mouth_r(true[1:] + true[:1], judged.cases))),
        "shut": 1.0,
        "shut, wrongly": 0.0,
        "expression": expression_r(true, faces),
        "swapped": followed(true, faces, faces[1:] + faces[:1]),
        "jitter": 1.0,
        "people": float(np.median(judged.ridge)),
        "people, mean": float(np.mean(judged.ridge)),
    }


def run_cell(shared: Shared, protocol: Protocol, variant: Variant, seed: int, root: Path) -> dict[str, float]:
    """Train and measure, or read what was measured before. Training goes on where it was killed."""
    folder = folder_of(root, variant, seed)
    result = folder / "result.json"
    if result.exists():
        kept: dict[str, float] = json.loads(result.read_text())
        return kept
    started = time.process_time()
    model = train_cell(shared, protocol, variant, seed, folder / "denoiser")
    trained = time.process_time() - started
    found = measure(model, shared.judged, variant) | {"seconds of training": trained}
    unfinished = result.with_suffix(".partial")
    unfinished.write_text(json.dumps(found, indent=1))
    os.replace(unfinished, result)
    return found


def same_protocol(root: Path, protocol: Protocol) -> None:
    """Note the protocol in ``root``. Raises InputError where cells there followed another one; more seeds may
    be added.
    """
    notes, now = root / "protocol.json", asdict(replace(protocol, seeds=1))
    if notes.exists() and json.loads(notes.read_text()) != now:
        raise InputError(f"{root} holds cells of another protocol: choose a new folder.")
    root.mkdir(parents=True, exist_ok=True)
    notes.write_text(json.dumps(now))


def compare(
    shared: Shared, protocol: Protocol, root: Path, out: Path, variants: tuple[Variant, ...] = COMPARED
) -> None:
    """Run every cell, seed by seed, writing the table after each, so that it can be read on the way."""
    protocol.check()
    same_protocol(root, protocol)
    best = ceiling(shared.judged)
    results: dict[str, dict[int, dict[str, float]]] = {}
    for variant, seed in cells(variants, protocol.seeds):
        results.setdefault(variant.name, {})[seed] = run_cell(shared, protocol, variant, seed, root)
        table = as_markdown(results, variants, best, MEASURES, "drawn performers; ridge of other people")
        out.write_text("\n".join(table) + "\n", encoding="utf-8")
        logger.info("%s, seed %d: %s", variant.name, seed, results[variant.name][seed])


def main(argv: Sequence[str] | None = None) -> None:
    """Raises InputError for settings that make no sense, and without recordings or models."""
    parser = argparse.ArgumentParser(prog="python -m experiments motion_ablation", description=__doc__)
    parser.add_argument("talk", type=Path, help="shards of eadnet.synthetic.talk to train on")
    parser.add_argument("held_out", type=Path, help="shards of held-out sentences and speakers")
    parser.add_argument("--folder", type=Path, default=Path(".work/motion_ablation"))
    parser.add_argument("--encoders", type=Path, default=Path("eadnet/assets/motion.safetensors"))
    parser.add_argument("--media", type=Path, default=os.environ.get("EADNET_MEDIA"))
    parser.add_argument("--models", type=Path, default=os.environ.get("EADNET_MODELS"))
    parser.add_argument("--cache", type=Path, default=Path(".work/speech"), help="of people's landmarks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=[variant.name for variant in COMPARED])
    for field in fields(Protocol):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    protocol = Protocol(**{field.name: getattr(options, field.name) for field in fields(Protocol)})
    protocol.check()
    if options.media is None or options.models is None:
        raise InputError("Recordings and models are missing: give --media and --models.")
    landmarker = min(Path(options.models).glob("face_landmarker*"))
    folder: Path = options.folder
    prepare(folder, options.talk, options.encoders)
    cases = talk_cases(options.held_out, protocol.cases)
    judged = Judged.of(cases, people(Path(options.media), landmarker, options.cache))
    task = task_of(options.encoders, 0)
    data = MotionSet(folder / "train", training_performer)
    unseen = MotionSet(folder / "validation", held_out_performer("validation"))
    critics = train_critics(task, data, unseen, folder / "critics")
    chosen = tuple(v for v in COMPARED if not options.only or v.name in options.only)
    compare(
        Shared(folder, partial(task_of, options.encoders), critics, judged),
        protocol,
        folder / "cells",
        folder / "table.md",
        chosen,
    )
