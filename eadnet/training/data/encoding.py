"""Encode a data set once, so that the U-Net trains on latents alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...faces.masks import mask_image
from ...fingerprints import fingerprint
from ...modules.autoencoder import FACTOR, MiniAutoencoder
from .clips import StillSet
from .images import to_model_range
from .latents import ARRAYS, CHANNELS, MADE_WITH, STILL_ARRAYS

ROWS = "rows.txt"


def encode_dataset(
    clips: Path, vae: MiniAutoencoder, folder: Path, mask_region: str, workers: int = 1
) -> None:
    """Write `target.npy`, `masked.npy` float16 [N, T, 4, h, w] and `reference.npy` [N, R, 4, h, w].

    `masked` is the clip without `mask_region` (`eadnet.faces.masks.REGIONS`), which the U-Net generates.
    Finished rows are noted, so an interrupted encoding goes on where it stopped, unless the VAE, the
    clips or the region are others by now. A VAE on a GPU works there, with one worker.
    """
    count, frames, size = np.load(clips / "frames.npy", mmap_mode="r").shape[:3]
    references = np.load(clips / "references.npy", mmap_mode="r").shape[1]
    folder.mkdir(parents=True, exist_ok=True)
    made_with = folder / MADE_WITH
    key = fingerprint(vae, clips / "texts.json", mask_region)
    if not made_with.exists() or made_with.read_text() != key:
        (folder / ROWS).unlink(missing_ok=True)
        for name, lead in zip(ARRAYS, ((count, frames), (count, frames), (count, references)), strict=True):
            shape = (*lead, CHANNELS, size // FACTOR, size // FACTOR)
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", "float16", shape)
        made_with.write_text(key)
    notes = folder / ROWS
    finished = set(map(int, notes.read_text().split())) if notes.exists() else set()
    rows = [row for row in range(count) if row not in finished]
    with notes.open("a") as file:
        for row in _encoded(_Encoder(clips, vae, folder, mask_region), rows, workers):
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
    mask_region: str

    @torch.no_grad()
    def __call__(self, row: int) -> int:
        pictures, references = (
            to_model_range(np.array(np.load(self.clips / f"{name}.npy", mmap_mode="r")[row]))
            for name in ("frames", "references")
        )
        masked = pictures * (1 - mask_image(self.mask_region, pictures.shape[-1]))
        if torch.equal(masked, masked[:1].expand_as(masked)):  # a head held still: once is enough
            masked = masked[:1]
        pieces = torch.cat([pictures, masked, references]).to(self.vae.latent_mean.device)
        latents = self.vae.encode(pieces).half().cpu().split([len(pictures), len(masked), len(references)])
        for name, values in zip(ARRAYS, latents, strict=True):
            np.load(self.folder / f"{name}.npy", mmap_mode="r+")[row] = values.numpy()
        return row


_STILLS_AT_ONCE = 256


@torch.no_grad()
def encode_stills(stills: Path, vae: MiniAutoencoder, folder: Path) -> None:
    """Write `stills.npy` and `calm.npy` float16 [N, 4, h, w], unless this VAE has made them."""
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
