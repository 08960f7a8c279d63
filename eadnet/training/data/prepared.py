"""Windows of a prepared set, streamed: nothing of it is held but the clips of the next step.

The clips of one step are drawn by as many *lanes*, each of which reads its own part of the set and reads it
again when it ends. A process has some of the lanes; so the steps are the same on one process as on many, and
a saved position is a place in every lane. What is random about a clip follows from its id, the epoch and the
seed, and from nothing that was drawn before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...fingerprints import fingerprint
from ...preparation.shards import Sample, read_set, read_shards, sample_count
from ...printable import get_logger

logger = get_logger(__name__)

LATENTS = ("latents", "masked_latents")


@dataclass(frozen=True)
class PreparedClip:
    """A window of T frames of a segment, and another of it that shows the person.

    pictures, reference  uint8 [T, R, R, 3]; None where latents were cached
    latents              {"target", "masked", "reference"} [T, 4, h, w] where they were
    sound                float32 [n], 16 kHz, of the whole segment
    rows                 [rows, layers, width], the sound as an encoder heard it, where that was cached
    tokens               [L, D] of the caption where they were
    start, elsewhere     numbers of the first frames of the window, and of that of the reference
    generator            of what else is random about it: noise, its level, what is left out
    """

    sample: Sample
    start: int
    elsewhere: int
    pictures: np.ndarray | None
    reference: np.ndarray | None
    latents: dict[str, Tensor] | None
    generator: torch.Generator

    @property
    def sound(self) -> np.ndarray:
        return self.sample.sound

    @property
    def rows(self) -> Tensor | None:
        return self.sample.tensors.get("whisper")

    @property
    def tokens(self) -> Tensor | None:
        return self.sample.tensors.get("tokens")

    @property
    def caption(self) -> str:
        return str(self.sample.record.get("caption") or "")


def seeded_by(*parts: object) -> torch.Generator:
    """Random numbers that follow from some words and numbers alone."""
    digest = blake2b(":".join(map(str, parts)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def cut(sample: Sample, window: int, generator: torch.Generator) -> PreparedClip:
    """A random window of a segment of at least twice as many frames; the reference lies outside it, as
    LatentSync's (arXiv 2412.09262).
    """
    last = sample.count - window

    def drawn(count: int) -> int:
        return int(torch.randint(count, (), generator=generator))

    before, after = 0, 0
    while before + after == 0:  # starts of a reference before and after; rarely there is room for neither
        start = drawn(last + 1)
        before, after = max(0, start - window + 1), max(0, last - start - window + 1)
    other = drawn(before + after)
    other = other if other < before else start + window + other - before
    if all(name in sample.tensors for name in LATENTS):
        whole, masked = (sample.tensors[name] for name in LATENTS)
        latents = {
            "target": whole[start : start + window].float(),
            "masked": masked[start : start + window].float(),
            "reference": whole[other : other + window].float(),
        }
        return PreparedClip(sample, start, other, None, None, latents, generator)
    pictures, reference = (sample.frames(first, window) for first in (start, other))
    return PreparedClip(sample, start, other, pictures, reference, None, generator)


class _Lane:
    """One reader of the set, for ever; `place` is [epoch, samples of it that were read]."""

    def __init__(self, directory: Path, split: str, number: int, lanes: int, window: int, seed: int) -> None:
        self.directory, self.split, self.number, self.lanes = directory, split, number, lanes
        self.window, self.seed = window, seed
        self.place = [0, 0]
        self._samples: Iterator[Sample] | None = None

    def take(self) -> PreparedClip:
        for _ in range(2):  # the rest of this epoch, and a whole one
            if self._samples is None:
                read = read_shards(
                    self.directory,
                    split=self.split,
                    process=self.number,
                    processes=self.lanes,
                    shuffle_seed=self.seed + self.place[0],
                )
                self._samples = itertools.islice(read, self.place[1], None)
            for sample in self._samples:
                self.place[1] += 1
                if sample.count >= 2 * self.window:
                    return cut(sample, self.window, seeded_by(self.seed, self.place[0], sample.id))
            self.place, self._samples = [self.place[0] + 1, 0], None
        raise InputError(
            f"A part of {self.directory} has no segment of {2 * self.window} frames, two windows: "
            "prepare longer segments, or use a smaller batch."
        )


class ClipStream:
    """The clips of every step that this process works on.

    Args:
        directory: of the prepared set.
        split: "train", "val" or "test".
        lanes: clips in a step, over all processes and accumulated batches.
        mine: the lanes of this process.
        window: frames T.
        seed: of the order and of all that is drawn.
        workers: threads that read and decode.

    Raises InputError for a set that has no such split or fewer segments than lanes.
    """

    def __init__(
        self,
        directory: Path,
        split: str,
        *,
        lanes: int,
        mine: Sequence[int] | None = None,
        window: int = 16,
        seed: int = 0,
        workers: int = 2,
    ) -> None:
        count = sample_count(directory, split)
        if count < lanes:
            raise InputError(
                f"The split '{split}' of {directory} has {count} segments and a step takes {lanes}: use a "
                "smaller batch, or prepare more."
            )
        numbers = range(lanes) if mine is None else mine
        self.lanes = [_Lane(directory, split, number, lanes, window, seed) for number in numbers]
        self._places: dict[str, list[int]] = {}
        self._pool = ThreadPoolExecutor(max(1, workers))
        self._ahead = ThreadPoolExecutor(1)
        self._next: Future[tuple[list[PreparedClip], dict[str, list[int]]]] | None = None

    def step(self) -> list[PreparedClip]:
        """The clips of the next step; those of the one after it are read meanwhile."""
        waiting = self._next or self._ahead.submit(self._read)
        clips, self._places = waiting.result()
        self._next = self._ahead.submit(self._read)
        return clips

    def close(self) -> None:
        """Let the threads go."""
        for pool in (self._ahead, self._pool):
            pool.shutdown(cancel_futures=True)

    def _read(self) -> tuple[list[PreparedClip], dict[str, list[int]]]:
        clips = list(self._pool.map(_Lane.take, self.lanes))
        return clips, {str(lane.number): list(lane.place) for lane in self.lanes}

    def state_dict(self) -> dict[str, Any]:
        """How far the steps that were taken have read."""
        return dict(self._places)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; before the first step. The state may be that of other processes, together."""
        for lane in self.lanes:
            lane.place = list(state.get(str(lane.number), [0, 0]))
        self._places = {str(lane.number): list(lane.place) for lane in self.lanes}


def set_fingerprint(directory: Path) -> str:
    """What set.json says in sixteen digits, wherever the set lies. Raises InputError where there is none."""
    return fingerprint(read_set(directory))


def can_measure(directory: Path, split: str = "val") -> bool:
    """Whether there is something to measure on; where not, a warning says why."""
    if sample_count(directory, split):
        return True
    logger.warning(
        "The set %s has no samples of the split '%s', so nothing is measured: about one speaker in twenty "
        "becomes val, and here none did.",
        directory,
        split,
    )
    return False


def held_out(directory: Path, split: str, count: int, window: int) -> list[PreparedClip]:
    """The first clips of a split, always the same windows of them. Raises InputError where there is none."""
    samples: Iterable[Sample] = (s for s in read_shards(directory, split=split) if s.count >= 2 * window)
    clips = [
        cut(sample, window, seeded_by("held out", sample.id)) for sample in itertools.islice(samples, count)
    ]
    if not clips:
        raise InputError(f"The split '{split}' of {directory} has no segment of {2 * window} frames.")
    return clips
