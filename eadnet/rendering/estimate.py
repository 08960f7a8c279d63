"""What a render will need, estimated before it starts: time, memory, disk."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch

from ..errors import InputError
from ..media.silence import silence_tokens
from ..sampling import Conditions, Sampling, sample
from .memory import render_memory
from .networks import Networks
from .scene import Scene

# What H.264 needs at most for a pixel of a talking face at our quality, in bytes; measured 0.02 to 0.1.
_BYTES_PER_PIXEL = 0.1
# What a rig works with for each pixel of a frame: the picture, where each pixel comes from, light.
_BYTES_AT_WORK = 80
# Windows from which on two more evaluations of the U-Net, to know its pace, are nothing.
_WORTH_TRYING = 20


@dataclass(frozen=True)
class Estimate:
    """What a render will need: bytes of memory beside the networks' weights, and of disk until it is done
    (the video twice for a moment, and the speech); the U-Net's seconds, where it is long enough to try.
    """

    frames: int
    seconds: float | None
    memory: float
    disk: float

    def warnings(self, folder: Path) -> list[str]:
        """What will not fit, one sentence each."""
        found = []
        free = shutil.disk_usage(folder).free
        if free < self.disk:
            found.append(
                f"The video may need {_size(self.disk)} and {folder} has {_size(free)} free: make room."
            )
        spare = _free_memory()
        if spare is not None and spare < self.memory:
            found.append(
                f"Rendering may need {_size(self.memory)} of memory and {_size(spare)} are free: choose "
                "fewer frames in a window, or close other programs."
            )
        return found

    def __str__(self) -> str:
        time = "" if self.seconds is None else f" about {_duration(self.seconds)} of denoising,"
        return f"{self.frames} frames:{time} {_size(self.memory)} of memory and {_size(self.disk)} of disk"


def estimate_render(networks: Networks, scene: Scene, sampling: Sampling) -> Estimate:
    """What a render will need, before it starts."""
    frames, (width, height) = scene.length.frames, scene.pictures.size
    side = scene.region.shape[-1] // 8
    return Estimate(
        frames=frames,
        seconds=_denoising_seconds(networks, scene, sampling),
        memory=render_memory(networks.unet, sampling, frames, side, (width, height)),
        disk=2 * frames * width * height * _BYTES_PER_PIXEL + 64_000 * float(frames / scene.fps),
    )


def estimate_film(frames: int, size: tuple[int, int], fps: float | Fraction, together: int = 1) -> Estimate:
    """What a film without a model will need: ``together`` frames of ``size`` (width, height) at a time."""
    pixels = size[0] * size[1]
    return Estimate(
        frames=frames,
        seconds=None,
        memory=_BYTES_AT_WORK * pixels * together,
        disk=2 * frames * pixels * _BYTES_PER_PIXEL + 64_000 * frames / float(fps),
    )


def _denoising_seconds(networks: Networks, scene: Scene, sampling: Sampling) -> float | None:
    """How long all windows will take, from trying one of silence and darkness; None for a video of few
    windows, or where that fails (the render itself then says why).
    """
    count = sampling.plan(scene.length.frames).total
    if count < _WORTH_TRYING * sampling.steps:
        return None
    side = scene.region.shape[-1] // 8
    dark = torch.zeros(sampling.window, 4, side, side)
    emotion = scene.emotion
    try:
        conditions = Conditions(
            masked_latents=dark,
            mask=dark[:, :1],
            reference_latents=dark,
            audio=silence_tokens(networks.audio_encoder).float().cpu().expand(sampling.window, -1, -1),
            emotion=emotion[: sampling.window] if emotion is not None and emotion.ndim == 3 else emotion,
            null_emotion=scene.null_emotion,
        )
        for _ in range(2):  # the first includes what is done once
            started = time.monotonic()
            sample(networks.unet, conditions, replace(sampling, steps=1))
        return (time.monotonic() - started) * count
    except (InputError, RuntimeError):
        return None


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _free_memory() -> int | None:
    """Bytes of the computer's memory that can be had; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, AttributeError, OSError):  # not on every system
        return None
