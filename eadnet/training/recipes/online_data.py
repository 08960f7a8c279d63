"""A training set that is rendered while it is trained on: the trainer loads what the renderers finish.

On a GPU that is there for minutes nothing may wait. A face costs a hundred times as much to render as a GPU
needs to train on it, so rendering first would leave the GPU idle, and a set rendered in advance is small.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import torch

from ...modules.autoencoder import MiniAutoencoder
from ...printable import get_logger
from ...synthetic.datasets import DatasetShape, render_dataset
from ...synthetic.speech_sets import make_other_voices
from ..data.encoding import encode_dataset
from ..data.latents import LatentSet

logger = get_logger(__name__)

PART = 16  # clips that are handed over together
LOADED_EVERY = 15.0  # seconds


@dataclass(frozen=True)
class ClipPlan:
    """What is rendered: parts of `PART` clips in folders of their own, seeds from `first_seed`.

    changing: share of clips whose emotion changes on the way. voices: other speakers who say every clip.
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
        shape = DatasetShape(PART, self.frames, self.size)
        first = self.first_seed + index * PART
        render_dataset(partial, "train", shape, first_seed=first, changing=self.changing)
        if self.voices:
            make_other_voices(partial, self.voices)
        os.replace(partial, done)

    def part(self, index: int) -> Path:
        return self.folder / f"part-{index:05}"


def _render_parts(plan: ClipPlan, first: int, step: int) -> None:
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(10)  # the trainer's own process comes first
    for index in itertools.count(first, step):
        plan.make(index)


class OnlineClips:
    """Renderers at work while the context lasts, and the clips they have finished.

    Args:
        plan: what to render.
        vae: encodes parts where it is, in the trainer's process.
        mask_region: what the U-Net generates.
        workers: processes that render.

    Frames, 1.6 MB a clip, are deleted once they are encoded; their latents stay, so a run that was killed
    loads them again.
    """

    def __init__(self, plan: ClipPlan, vae: MiniAutoencoder, mask_region: str, workers: int) -> None:
        self.plan, self.vae, self.mask_region = plan, vae, mask_region
        self.data: LatentSet | None = None
        self._loaded: set[Path] = set()
        self._checked = -LOADED_EVERY
        context = multiprocessing.get_context("spawn")
        self._renderers = [
            context.Process(target=_render_parts, args=(plan, first, workers), daemon=True)
            for first in range(workers)
        ]

    def __enter__(self) -> OnlineClips:
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        for process in self._renderers:
            process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._renderers:
            process.terminate()
            process.join()

    def at_least(self, clips: int) -> LatentSet:
        """The set, once it has so many clips. Raises RuntimeError when all renderers have died."""
        while self.data is None or len(self.data) < clips:
            if not any(process.is_alive() for process in self._renderers):
                raise RuntimeError("All renderers of training clips have died; their errors are above.")
            self._load_finished()
            time.sleep(0.2)
        return self.data

    def load_now_and_then(self) -> None:
        """Load what is new every `LOADED_EVERY` seconds: for the training loop to call before each step."""
        if time.monotonic() - self._checked >= LOADED_EVERY:
            self._load_finished()
            self._checked = time.monotonic()

    def _load_finished(self) -> None:
        new = sorted(set(self.plan.folder.glob("part-?????")) - self._loaded)
        for part in new:
            if (part / "frames.npy").exists():
                encode_dataset(part, self.vae, part / "latents", self.mask_region)
                (part / "frames.npy").unlink()
        for first in range(0, len(new), 16):
            self._append([LatentSet(part / "latents", part) for part in new[first : first + 16]])
        self._loaded.update(new)
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
