"""How a U-Net is trained on a prepared set: numbers alone, known to a command line without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError


def check_rate(rate: float) -> None:
    """Refuse a learning rate that is none. Raises InputError."""
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"rate is {rate}: give a number above 0.")


def check_folder(folder: Path) -> None:
    """Refuse a place for results where no folder can be made. Raises InputError."""
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place} is a file, and results need a folder: choose another place for them.")


@dataclass(frozen=True)
class OnSet:
    """How a U-Net is trained on a prepared set.

    steps: of the optimiser.
    batch: clips that a process works on at a time. accumulation: of these, for one step.
    window: frames of a clip.
    rate: of the optimiser, AdamW; it warms up over a tenth of the steps, at most 500. decay: its weights'.
    average: decay of the moving average that is saved.
    precision: "no", "bf16" or "fp16". checkpointing: compute the stages' inside again on the way back.
    validate_every: steps between measurements on held-out clips, 0 for none. held_out: how many of them.
    save_every: steps between states. workers: threads that read. trackers: names, commas between.
    """

    steps: int = 20_000
    batch: int = 1
    accumulation: int = 1
    window: int = 16
    rate: float = 1e-4
    decay: float = 1e-2
    average: float = 0.999
    clip: float = 1.0
    precision: str = "no"
    checkpointing: bool = False
    validate_every: int = 500
    held_out: int = 8
    save_every: int = 500
    log_every: int = 10
    seed: int = 0
    workers: int = 2
    trackers: str = ""
    cpu: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulation", "window", "held_out", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: give 1 or more.")
        for name in ("validate_every", "workers"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: give 0 or more.")
        if not 0 <= self.average < 1:
            raise InputError(f"average is {self.average}: give 0 or more, and less than 1.")
        check_rate(self.rate)
