"""Encoded data sets, held in memory: what the U-Net trains on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...dataset_format import CHANGES, MOMENTS_PER_STILL_PERSON, OTHER_VOICES, ParameterLayout
from ...errors import InputError
from .clips import read_parameters, read_texts

CHANNELS = 4  # of every latent
ARRAYS = ("target", "masked", "reference")
STILL_ARRAYS = ("calm", "stills")
LABELS = (*ARRAYS, "params", "openings", "speech", "other_voices", "changes")
MADE_WITH = "made_with.txt"


def _parameters_of(folder: Path) -> tuple[Tensor | None, Tensor | None, ParameterLayout | None]:
    params, openings, layout = read_parameters(folder)
    if params is None or openings is None:
        return None, None, None
    return torch.from_numpy(params), torch.from_numpy(openings), layout


@dataclass(frozen=True)
class Faces:
    """Single faces: latents and references [N, 4, h, w], params [N, P], openings [N]."""

    target: Tensor
    reference: Tensor
    params: Tensor
    openings: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


class LatentStills:
    """Encoded stills of any expression, each beside its person at rest, held in memory.

    Raises InputError where they are not encoded or have no facial parameters.
    """

    def __init__(self, latents: Path, stills: Path) -> None:
        if not (latents / MADE_WITH).exists():
            raise InputError(
                f"{latents} has no encoded stills: run `python -m eadnet.training encode` first."
            )
        self.calm, self.stills = (torch.from_numpy(np.load(latents / f"{n}.npy")) for n in STILL_ARRAYS)
        params, openings, layout = _parameters_of(stills)
        if params is None or openings is None or layout is None:
            raise InputError(f"{stills} has no facial parameters: stills are of use with them only.")
        self.params, self.openings, self.layout = params, openings, layout

    def __len__(self) -> int:
        return len(self.stills)

    def draw(self, count: int, generator: torch.Generator) -> Faces:
        rows = torch.randint(len(self), (count,), generator=generator)
        return Faces(
            self.stills[rows].float(),
            self.calm[rows // MOMENTS_PER_STILL_PERSON].float(),
            self.params[rows],
            self.openings[rows],
        )


@dataclass(frozen=True)
class Batch:
    """Windows of clips: latents [B, T, 4, h, w], reference [B, 4, h, w], and where they start.

    `params` [B, T, P] and `openings` [B, T] are None where the data set has none.
    """

    target: Tensor
    masked: Tensor
    reference: Tensor
    params: Tensor | None
    openings: Tensor | None
    clips: Tensor
    starts: Tensor

    def to(self, device: torch.device) -> Batch:
        """On another device, but for `clips` and `starts`, which index what is in memory."""
        moved = {
            name: value.to(device)
            for name in ("target", "masked", "reference", "params", "openings")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **moved)


class LatentSet:
    """An encoded data set together with its speech, texts and, where it has them, facial parameters."""

    def __init__(self, latents: Path, clips: Path) -> None:
        self.target = torch.from_numpy(np.load(latents / "target.npy"))
        self.masked = torch.from_numpy(np.load(latents / "masked.npy"))
        self.reference = torch.from_numpy(np.load(latents / "reference.npy"))
        self.params, self.openings, self.layout = _parameters_of(clips)
        self.speech = torch.from_numpy(np.load(clips / "speech.npy"))
        others = clips / OTHER_VOICES
        self.other_voices = torch.from_numpy(np.load(others)) if others.exists() else None
        changes = clips / CHANGES
        self.changes = torch.from_numpy(np.load(changes)) if changes.exists() else None
        self.texts = read_texts(clips)

    def __len__(self) -> int:
        return len(self.target)

    def append(self, other: LatentSet) -> None:
        """Add another set of the same kind behind this one.

        Raises InputError where one of the two has parameters, voices or changes and the other has none, or
        where their parameters have other names.
        """
        if self.layout is not None and other.layout is not None and self.layout != other.layout:
            raise InputError("The two sets have other facial parameters: they cannot be trained on as one.")
        for name in LABELS:
            mine, others = getattr(self, name), getattr(other, name)
            if (mine is None) != (others is None):
                raise InputError(f"Only one of the two sets has {name.replace('_', ' ')}: make both alike.")
            if mine is not None:
                setattr(self, name, torch.cat([mine, others]))
        first = len(self.texts)
        self.texts += [{**entry, "row": first + entry["row"]} for entry in other.texts]

    def waveforms(self, clips: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The clips' speech [B, S] in [-1, 1]; with a `generator`, by any of the speakers who say it."""
        speech = self.speech[clips]
        if generator is not None and self.other_voices is not None:
            who = torch.randint(self.other_voices.shape[1] + 1, (len(clips),), generator=generator)
            others = self.other_voices[clips, (who - 1).clamp_min(0)]
            speech = torch.where(who[:, None] > 0, others, speech)
        return speech.float() / 32767

    def changes_in(self, batch: Batch, window: int) -> Tensor:
        """How much of the later text every frame of a batch shows, [B, window]."""
        frames = batch.starts[:, None] + torch.arange(window)
        if self.changes is None:
            return torch.zeros(frames.shape)
        return self.changes[batch.clips[:, None], frames]

    def draw(self, count: int, window: int, generator: torch.Generator) -> Batch:
        """`count` random windows of `window` frames, each with one of its clip's two references."""
        clips = torch.randint(len(self), (count,), generator=generator)
        starts = torch.randint(self.target.shape[1] - window + 1, (count,), generator=generator)
        which = torch.randint(self.reference.shape[1], (count,), generator=generator)
        frames = starts[:, None] + torch.arange(window)
        rows = clips[:, None]
        return Batch(
            self.target[rows, frames].float(),
            self.masked[rows, frames].float(),
            self.reference[clips, which].float(),
            None if self.params is None else self.params[rows, frames],
            None if self.openings is None else self.openings[rows, frames],
            clips,
            starts,
        )
