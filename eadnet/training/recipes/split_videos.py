"""The videos that an evaluation compares: a split of a prepared set, real, made again, and made with silence.

Papers put their test clips through the same preparation as those they train on (LatentSync's README), so what
is compared are crops. All frames of a segment are made from its own masked frames, its own sound and its
sentence, with the networks loaded once; what is there already stays, so a run that was stopped goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...adapters import apply_adapter
from ...checkpoints import load_checkpoint, read_info
from ...dataset_format import FPS, SAMPLE_RATE
from ...errors import InputError
from ...media.video import write_video
from ...memory import check_device
from ...modules.unet import EADUNet
from ...preparation.shards import Sample, read_shards, sample_count
from ...sampling import Sampling, sample
from ..data.prepared import PreparedClip, seeded_by
from ..on_set import check_folder
from ..tasks.adapter import AdapterTask
from ..tasks.sample_window import pictures_of
from .adapter import Files, check_set, load_encoders

REAL, MADE, SILENT = "real", "made", "made_with_silence"
OnClip = Callable[[int, int], object]


def make_test_videos(
    directory: Path,
    out: Path,
    files: Files,
    adapter: Path | None = None,
    *,
    split: str = "test",
    most: int | None = None,
    steps: int | None = None,
    device: str = "cpu",
    on_clip: OnClip | None = None,
) -> Path:
    """Write `real`, `made` and `made_with_silence` into `out`, a video for each segment under its id.

    `files.base` is LatentSync's U-Net, with an adapter or without, or what `ead-256` and `ead-512` make.
    Raises InputError and CheckpointError, one sentence, for files and sets that do not fit.
    """
    check_folder(out)
    check_device(device)
    info = read_info(files.base)
    if "unet" not in info["components"] or "scheduler" not in info:
        raise InputError(f"{files.base.name} has no U-Net with its schedule: convert LatentSync's first.")
    count = sample_count(directory, split)
    if not count:
        raise InputError(
            f"The set {directory} has no split '{split}': choose another with --split, or prepare people "
            "who are for the test."
        )
    encoders = load_encoders(files)
    if encoders.vae is None or encoders.audio is None:
        raise InputError("Videos are decoded, and silence is heard anew: give --vae and --whisper.")
    unet: EADUNet = load_checkpoint(files.base, only=["unet"]).component("unet")
    defaults, region = info.get("defaults", {}), str(info.get("mask_region", "lower_face"))
    if adapter is not None:
        unet = apply_adapter(unet, adapter, info)
        defaults = read_info(adapter).get("defaults", defaults)
    resolution = int(info["resolution"])
    check_set(directory, resolution, region, encoders, split)
    where = torch.device(device)
    task = AdapterTask(info["scheduler"], region, resolution, encoders, where)
    window = min(16, unet.frame_limit or 16)
    how = Sampling(
        scheduler_config=info["scheduler"],
        steps=steps or int(defaults.get("steps", 20)),
        audio_guidance=float(defaults.get("audio_guidance", 1.5)),
        emotion_guidance=float(defaults.get("emotion_guidance", 1.0)),
        shared_noise=float(defaults.get("shared_noise", 1.0)),
        window=window,
        overlap=min(4, window - 1),
    )
    unet = unet.to(where).eval()
    total = count if most is None else min(most, count)
    for done, one in enumerate(itertools.islice(read_shards(directory, split=split), total), 1):
        _write_all(one, out, unet, task, how)
        if on_clip:
            on_clip(done, total)
    return out


@torch.no_grad()
def _write_all(one: Sample, out: Path, unet: EADUNet, task: AdapterTask, how: Sampling) -> None:
    name, real = f"{one.id}.mp4", one.frames(0, one.count)
    if not (out / REAL / name).exists():
        _write(out / REAL / name, real, one.sound)
    for folder, sound in ((MADE, one.sound), (SILENT, np.zeros_like(one.sound))):
        if (out / folder / name).exists():
            continue
        heard = one
        if folder == SILENT:  # rows that were kept are those of the real sound
            kept = {key: value for key, value in one.tensors.items() if key != "whisper"}
            heard = replace(one, sound=sound, tensors=kept)
        conditions = task.sampling_conditions(_whole(heard, real))
        shape = min(how.window, one.count)
        latents = sample(unet, conditions, how.with_window(shape) if shape < how.window else how)
        made = pictures_of(task.encoders.vae, latents)
        region = task.region[0, ..., None].numpy() > 0
        _write(out / folder / name, np.where(region, made, real), sound)


def _whole(one: Sample, real: np.ndarray) -> PreparedClip:
    """A segment as one window, each frame of which is its own reference, as where videos are rendered."""
    latents: dict[str, Any] | None = None
    if "latents" in one.tensors and "masked_latents" in one.tensors:
        whole = one.tensors["latents"].float()
        latents = {"target": whole, "masked": one.tensors["masked_latents"].float(), "reference": whole}
    pictures = None if latents else real
    return PreparedClip(one, 0, 0, pictures, pictures, latents, seeded_by("test", one.id))


def _write(path: Path, frames: np.ndarray, sound: np.ndarray) -> None:
    waveform = torch.from_numpy(sound[: len(frames) * SAMPLE_RATE // FPS])[None]
    write_video(path, frames, FPS, waveform, SAMPLE_RATE)
