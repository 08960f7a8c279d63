"""Encode a rendered data set once, so that the denoiser trains on latents alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..faces.masks import mask_image
from ..modules.autoencoder import MiniAutoencoder
from .autoencoder import to_model_range
from .dataset import OTHER_VOICES, ClipSet, read_texts


@torch.no_grad()
def encode_dataset(clips: ClipSet, vae: MiniAutoencoder, folder: Path, batch: int = 64) -> None:
    """Write `target.npy`, `masked.npy` float16 [N, T, 4, h, w] and `reference.npy` [N, 2, 4, h, w]."""
    folder.mkdir(parents=True, exist_ok=True)
    count, frames, size = clips.frames.shape[:3]
    side = size // 8
    keep = 1 - mask_image("face", size)
    shapes = {"target": (count, frames), "masked": (count, frames), "reference": (count, 2)}
    out = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", "float16", (*lead, 4, side, side))
        for name, lead in shapes.items()
    }
    for i in range(count):
        pictures = to_model_range(np.array(clips.frames[i]))
        references = to_model_range(np.array(clips.references[i]))
        masked = pictures * keep
        if torch.equal(masked, masked[:1].expand_as(masked)):  # a head held still: once is enough
            masked = masked[:1]
        latents = vae.encode(torch.cat([references, pictures, masked])).half().numpy()
        out["reference"][i] = latents[:2]
        out["target"][i] = latents[2 : 2 + frames]
        out["masked"][i] = latents[2 + frames :]


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
        self.texts = read_texts(clips)

    def __len__(self) -> int:
        return len(self.target)

    def waveforms(self, clips: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The clips' speech [B, S] in [-1, 1]; with a `generator`, by any of the speakers who say it."""
        speech = self.speech[clips]
        if generator is not None and self.other_voices is not None:
            who = torch.randint(self.other_voices.shape[1] + 1, (len(clips),), generator=generator)
            others = self.other_voices[clips, (who - 1).clamp_min(0)]
            speech = torch.where(who[:, None] > 0, others, speech)
        return speech.float() / 32767

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
