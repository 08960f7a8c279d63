"""The recipe `motion` on a prepared set: the model that moves portraits learns from real people's faces.

Landmarks give real people the drawn world's parameters, so that a model which learned from drawn people can
be trained further on them. The U-Net alone learns; encoders, codec and TFRM stay.

Of the parameters the mouth's learn, unless all are asked for, each person's on the drawn people's scale: how
far people at rest raise brows and lids, or open the mouth, as landmarks see it, is far from the drawn
people's, and learning that costs the mouth what it knew of sound (docs/results/training.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ...checkpoints import load_checkpoint, named_checkpoint, read_info, save_checkpoint
from ...errors import InputError, no_such
from ...fingerprints import fingerprint
from ...preparation.shards import sample_count
from ...printable import get_logger
from ...rig.track import GROUPS
from ..data.prepared import can_measure, set_fingerprint
from ..data.real_motion import RealMotion
from ..tasks.denoiser import Schedule, check_frames, train_denoiser
from ..tasks.motion import WINDOWS
from .motion import new_task

logger = get_logger(__name__)

RESULT = "motion.safetensors"
LEARN = ("mouth", "all")
PASSES = 2  # over the set, if the number of steps is not given: more of few people helps no others


def finetune_motion(
    directory: Path,
    out: Path,
    *,
    start: str | Path = "motion",
    steps: int | None = None,
    frames: int = 96,
    rate: float = 1e-4,
    seed: int = 0,
    trackers: str = "",
    learn: str = "mouth",
    splits: Sequence[str] = ("train",),
    held_out: Sequence[str] = ("val",),
    keep: Callable[[dict[str, Any]], bool] | None = None,
) -> Path:
    """Train `start` further on some splits; returns the new checkpoint, in `out` with the state and the log.

    `steps` are as many as `PASSES` over the set take, if not given; `frames` are in every step. `learn` is
    one of `LEARN`; what the set does not show is not learned. `keep` picks records by what is known of them;
    those that it refuses are held out. Where the set has no samples of `held_out`, nothing is measured.
    Raises InputError for a set that does not fit, fewer `frames` than a window's, a checkpoint of another
    preset, and a state in `out` of another run.
    """
    check_frames(frames, WINDOWS)
    if learn not in LEARN:
        raise InputError(no_such("part to learn", learn, LEARN))
    path = named_checkpoint(start)
    preset = read_info(path).get("preset")
    if preset != "motion":
        raise InputError(f"{path.name} is a checkpoint of {preset}, not of motion: choose another --start.")
    task = new_task(path, path)
    encoder, names = task.model.audio_encoder.eval(), task.codec.names
    data = RealMotion(directory, splits, names, encoder, keep)
    task.learn_only([name for name in data.shown if learn == "all" or name in GROUPS["mouth"]])
    steps = steps or math.ceil(PASSES * len(data) * data.frames / frames)
    others = None if keep is None else lambda record: not keep(record)
    watched = None
    if measured := [split for split in held_out if sample_count(directory, split)]:
        watched = RealMotion(directory, measured, names, encoder, others)
    elif held_out:
        can_measure(directory, held_out[0])  # says why not
    if watched and data.speakers & watched.speakers:
        logger.warning(
            "The same people are trained on and held out: %s ...", min(data.speakers & watched.speakers)
        )
    for one in (data, watched):
        if one is not None and learn == "mouth":
            one.rescale(GROUPS["mouth"], task.codec.mean, task.codec.std)
    how = Schedule(
        minutes=0,
        steps=steps,
        frames=frames,
        short_steps=1,
        stda_from=0,
        rate=rate,
        expression=1.0,
        mouth=2.0,
        seed=seed,
        trackers=trackers,
    )
    identity = {
        "recipe": "motion",
        "starting checkpoint": fingerprint(path),
        "set": set_fingerprint(directory),
        "splits": " ".join(splits),
        "frames": frames,
        "seed": seed,
        "parts learned": learn,
    }
    model = train_denoiser(task, data, watched, out, how, identity=identity)  # type: ignore[arg-type]
    whole = load_checkpoint(path)
    parts = {**whole.components, "unet": model.unet, "codec": task.codec}
    notes = {
        "recipe": "motion on a prepared set",
        "steps": steps,
        "pieces": len(data),
        "people": len(data.speakers),
    }
    with torch.no_grad():
        save_checkpoint(out / RESULT, parts, {**whole.info, "training": notes})
    return out / RESULT
