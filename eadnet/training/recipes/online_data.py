"""A training set that grows while it is learned from: renderers fill it, the trainer takes in what is done.

On a machine that is lent for minutes nothing may wait. A face costs a hundred times as much to draw as a GPU
needs to learn from it, so drawing first would leave the GPU idle, and a set drawn in advance is small.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import torch

from ..modules.autoencoder import MiniAutoencoder
from .dataset import Shape, render_dataset
from .latents import LatentSet, encode_dataset
from .spoken import make_other_voices

logger = logging.getLogger(__name__)

PART = 16  # clips that are handed over together
TAKEN_EVERY = 15.0  # seconds


@dataclass(frozen=True)
class Plan:
    """What is drawn: parts of `PART` clips in folders of their own, seeds from `first_seed`.

    changing: share of clips whose feeling changes on the way. voices: other speakers who say every clip.
    """

    folder: Path
    frames: int = 32
    size: int = 128
    first_seed: int = 0
    changing: float = 0.0
    voices: int = 3

    def make(self, index: int) -> None:
        """Render a part; its folder appears when it is whole. What is there is kept."""
        done = self.part(index)
        if done.exists():
            return
        partial = done.with_suffix(".partial")
        shape = Shape(PART, self.frames, self.size)
        first = self.first_seed + index * PART
        render_dataset(partial, "train", shape, first_seed=first, changing=self.changing)
        if self.voices:
            make_other_voices(partial, self.voices)
        os.replace(partial, done)

    def part(self, index: int) -> Path:
        return self.folder / f"part-{index:05}"


def _draw_on(plan: Plan, first: int, step: int) -> None:
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(10)  # the trainer's own process comes first
    for index in itertools.count(first, step):
        plan.make(index)


class Growing:
    """Renderers at work while the context lasts, and what they have finished.

    Args:
        plan: what to draw.
        vae: encodes parts where it is, in the trainer's process.
        workers: processes that draw.

    Frames, 1.6 MB a clip, go once they are encoded; what they became stays, so a run that was killed takes it
    in again.
    """

    def __init__(self, plan: Plan, vae: MiniAutoencoder, workers: int) -> None:
        self.plan, self.vae = plan, vae
        self.data: LatentSet | None = None
        self._taken: set[Path] = set()
        self._looked = -TAKEN_EVERY
        context = multiprocessing.get_context("spawn")
        self._drawing = [
            context.Process(target=_draw_on, args=(plan, first, workers), daemon=True)
            for first in range(workers)
        ]

    def __enter__(self) -> Growing:
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        for process in self._drawing:
            process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._drawing:
            process.terminate()
            process.join()

    def at_least(self, clips: int) -> LatentSet:
        """The set, once it has so many clips. Raises RuntimeError when all renderers have died."""
        while self.data is None or len(self.data) < clips:
            if not any(process.is_alive() for process in self._drawing):
                raise RuntimeError("All renderers of training clips have died; their errors are above.")
            self._take_in()
            time.sleep(0.2)
        return self.data

    def look(self) -> None:
        """Take in what is new, now and then: for the training loop to call before each step."""
        if time.monotonic() - self._looked >= TAKEN_EVERY:
            self._take_in()
            self._looked = time.monotonic()

    def _take_in(self) -> None:
        new = sorted(set(self.plan.folder.glob("part-?????")) - self._taken)
        for part in new:
            if (part / "frames.npy").exists():
                encode_dataset(part, self.vae, part / "latents")
                (part / "frames.npy").unlink()
        for first in range(0, len(new), 16):
            self._append([LatentSet(part / "latents", part) for part in new[first : first + 16]])
        self._taken.update(new)
        if new and self.data:
            logger.info("%d clips", len(self.data))

    def _append(self, parts: list[LatentSet]) -> None:
        first, *others = parts
        for other in others:
            first.append(other)
        if self.data is None:
            self.data = first
        else:
            self.data.append(first)
