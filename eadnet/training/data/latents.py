"""Encode a rendered data set once, so that the denoiser trains on latents alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..faces.masks import mask_image
from ..fingerprints import fingerprint
from ..modules.autoencoder import MiniAutoencoder
from .autoencoder import to_model_range
from .dataset import CHANGES, MOMENTS_PER_STILL_PERSON, OTHER_VOICES, StillSet, read_texts

CHANNELS = 4  # of every latent
ARRAYS = ("target", "masked", "reference")
LABELS = (*ARRAYS, "params", "openings", "speech", "other_voices", "changes")
MADE_WITH, ROWS = "made_with.txt", "rows.txt"


def encode_dataset(clips: Path, vae: MiniAutoencoder, folder: Path, workers: int = 1) -> None:
    """Write `target.npy`, `masked.npy` float16 [N, T, 4, h, w] and `reference.npy` [N, 2, 4, h, w].

    Finished rows are noted, so an interrupted encoding goes on where it stopped, unless the autoencoder or
    the clips are others by now. An autoencoder on a GPU works there, with one worker.
    """
    count, frames, size = np.load(clips / "frames.npy", mmap_mode="r").shape[:3]
    folder.mkdir(parents=True, exist_ok=True)
    made_with = folder / MADE_WITH
    key = fingerprint(vae, clips / "texts.json")
    if not made_with.exists() or made_with.read_text() != key:
        (folder / ROWS).unlink(missing_ok=True)
        for name, lead in zip(ARRAYS, ((count, frames), (count, frames), (count, 2)), strict=True):
            shape = (*lead, CHANNELS, size // 8, size // 8)
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", "float16", shape)
        made_with.write_text(key)
    notes = folder / ROWS
    finished = set(map(int, notes.read_text().split())) if notes.exists() else set()
    rows = [row for row in range(count) if row not in finished]
    with notes.open("a") as file:
        for row in _encoded(_Encoder(clips, vae, folder), rows, workers):
            file.write(f"{row}\n")
            file.flush()


def _encoded(encode: _Encoder, rows: Sequence[int], workers: int) -> Iterator[int]:
    """Encode the rows, and say which is done."""
    if workers == 1:
        yield from map(encode, rows)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        yield from pool.map(encode, rows, chunksize=4)


@dataclass(frozen=True)
class _Encoder:
    """Encodes one clip into its row of the arrays."""

    clips: Path
    vae: MiniAutoencoder
    folder: Path

    @torch.no_grad()
    def __call__(self, row: int) -> int:
        pictures, references = (
            to_model_range(np.array(np.load(self.clips / f"{name}.npy", mmap_mode="r")[row]))
            for name in ("frames", "references")
        )
        masked = pictures * (1 - mask_image("face", pictures.shape[-1]))
        if torch.equal(masked, masked[:1].expand_as(masked)):  # a head held still: once is enough
            masked = masked[:1]
        pieces = torch.cat([pictures, masked, references]).to(self.vae.latent_mean.device)
        latents = self.vae.encode(pieces).half().cpu().split([len(pictures), len(masked), len(references)])
        for name, values in zip(ARRAYS, latents, strict=True):
            np.load(self.folder / f"{name}.npy", mmap_mode="r+")[row] = values.numpy()
        return row


STILL_ARRAYS = ("calm", "stills")
_STILLS_AT_ONCE = 256


@torch.no_grad()
def encode_stills(stills: Path, vae: MiniAutoencoder, folder: Path) -> None:
    """Write `stills.npy` and `calm.npy` float16 [N, 4, h, w], unless this autoencoder has made them."""
    folder.mkdir(parents=True, exist_ok=True)
    key = fingerprint(vae, stills / "params.npy")
    made_with = folder / MADE_WITH
    if made_with.exists() and made_with.read_text() == key:
        return
    pictures = StillSet(stills)
    for name in STILL_ARRAYS:
        shown = getattr(pictures, name)
        pieces = [
            vae.encode(to_model_range(shown[first : first + _STILLS_AT_ONCE]).to(vae.latent_mean.device))
            for first in range(0, len(shown), _STILLS_AT_ONCE)
        ]
        np.save(folder / f"{name}.npy", torch.cat(pieces).half().cpu().numpy())
    made_with.write_text(key)  # last, as the sign that the set is whole


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

    Raises InputError where they are not encoded.
    """

    def __init__(self, latents: Path, stills: Path) -> None:
        if not (latents / MADE_WITH).exists():
            raise InputError(
                f"{latents} has no encoded stills: run `python -m eadnet.training encode` first."
            )
        self.calm, self.stills = (torch.from_numpy(np.load(latents / f"{n}.npy")) for n in STILL_ARRAYS)
        self.params = torch.from_numpy(np.load(stills / "params.npy"))
        self.openings = torch.from_numpy(np.load(stills / "openings.npy"))

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
    """Windows of clips: latents [B, T, 4, h, w], reference [B, 4, h, w], and where they start."""

    target: Tensor
    masked: Tensor
    reference: Tensor
    params: Tensor
    openings: Tensor
    clips: Tensor
    starts: Tensor

    def to(self, device: torch.device) -> Batch:
        """On another device, but for `clips` and `starts`, which index what is in memory."""
        return Batch(
            self.target.to(device),
            self.masked.to(device),
            self.reference.to(device),
            self.params.to(device),
            self.openings.to(device),
            self.clips,
            self.starts,
        )


class LatentSet:
    """An encoded data set together with its speech, texts and parameters, held in memory."""

    def __init__(self, latents: Path, clips: Path) -> None:
        self.target = torch.from_numpy(np.load(latents / "target.npy"))
        self.masked = torch.from_numpy(np.load(latents / "masked.npy"))
        self.reference = torch.from_numpy(np.load(latents / "reference.npy"))
        self.params = torch.from_numpy(np.load(clips / "params.npy"))
        self.openings = torch.from_numpy(np.load(clips / "openings.npy"))
        self.speech = torch.from_numpy(np.load(clips / "speech.npy"))
        others = clips / OTHER_VOICES
        self.other_voices = torch.from_numpy(np.load(others)) if others.exists() else None
        changes = clips / CHANGES
        self.changes = torch.from_numpy(np.load(changes)) if changes.exists() else None
        self.texts = read_texts(clips)

    def __len__(self) -> int:
        return len(self.target)

    def append(self, other: LatentSet) -> None:
        """Take in another set of the same kind.

        Raises InputError where one of the two has voices or changes and the other has none.
        """
        for name in LABELS:
            mine, others = getattr(self, name), getattr(other, name)
            if (mine is None) != (others is None):
                raise InputError(f"Only one of the two sets has {name.replace('_', ' ')}: render both alike.")
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
            self.params[rows, frames],
            self.openings[rows, frames],
            clips,
            starts,
        )
