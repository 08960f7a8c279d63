"""What the parts of the experiment share: options, the SyncNet, clips that are rendered when first needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eadnet.checkpoints import load_checkpoint
from eadnet.media.audio import moved
from eadnet.metrics.sync import SyncScore, sweep
from eadnet.modules.mini_audio import speech_log_mel
from eadnet.modules.mini_syncnet import MiniSyncNet
from eadnet.synthetic.datasets import DatasetShape, render_dataset
from eadnet.training.data.clips import ClipSet

CLIPS, FRAMES, FURTHEST = 48, 75, 10
VALIDATION_CLIPS = 24


class Bench:
    """What the parts share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def network(self) -> Any:
        return load_checkpoint(self.options.checkpoint, only={"syncnet"}).component("syncnet")

    def clips(self, split: str, count: int = CLIPS) -> ClipSet:
        """The first ``count`` clips at least; the large set if it is there already."""
        whole = {"test": CLIPS, "validation": VALIDATION_CLIPS}[split]
        folder = self.options.data / split
        if count < whole and not (folder / "texts.json").exists():
            folder = self.options.data / f"{split}_{count}"
            whole = count
        render_dataset(folder, split, DatasetShape(whole, FRAMES))
        return ClipSet(folder)


class EmbeddedClips:
    """Every test clip's pictures and sound as embeddings, each computed once."""

    def __init__(
        self,
        network: MiniSyncNet,
        clips: ClipSet,
        count: int,
        change: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.network = network
        self.sounds = [clips.waveform(row) for row in range(count)]
        self.video = []
        for row in range(count):
            pictures = torch.from_numpy(np.array(clips.frames[row])).movedim(-1, 1)
            if change is not None:
                pictures = change(pictures)
            self.video.append(network.embed(pictures, self.sounds[row])[0])

    @torch.no_grad()
    def score(self, row: int, sound: Tensor) -> SyncScore:
        audio = self.network.embed_audio(speech_log_mel(sound)[None])[0]
        count = min(len(audio), len(self.video[row]))
        return sweep(self.video[row][:count], audio[:count], silence_beyond_ends=False)

    def offsets(self) -> tuple[int, int, int]:
        """(exact, within one frame, all) over every clip with its sound moved by -10 ... 10 frames."""
        errors = [
            abs(self.score(row, moved(sound, 16000, late / 25)).offset + late)
            for row, sound in enumerate(self.sounds)
            for late in range(-FURTHEST, FURTHEST + 1)
        ]
        return sum(e == 0 for e in errors), sum(e <= 1 for e in errors), len(errors)

    def confidences(self) -> tuple[list[float], list[float], int]:
        """With the clip's own sound, with the next clip's, and how often the latter gives offset 0."""
        own = [self.score(row, sound) for row, sound in enumerate(self.sounds)]
        other = [
            self.score(row, self.sounds[(row + 1) % len(self.sounds)]) for row in range(len(self.sounds))
        ]
        zero = sum(score.offset == 0 for score in other)
        return [s.confidence for s in own], [s.confidence for s in other], zero

    @torch.no_grad()
    def mismatched(self) -> list[float]:
        """The confidence of every clip with every other clip's sound."""
        sounds = [self.network.embed_audio(speech_log_mel(sound)[None])[0] for sound in self.sounds]
        return [
            sweep(video[:count], audio[:count], silence_beyond_ends=False).confidence
            for row, video in enumerate(self.video)
            for column, audio in enumerate(sounds)
            if row != column and (count := min(len(video), len(audio)))
        ]
