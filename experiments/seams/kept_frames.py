"""Rendered stretches of clips, kept on the disk frame by frame, so that a stopped rendering goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from eadnet.fingerprints import fingerprint
from eadnet.rendering import VAE_BATCH, Networks, Scene, render_frames
from eadnet.sampling import Sampling


@dataclass(frozen=True)
class OpenRender:
    """A render that can begin; ``smoothing`` is TFRM's strength."""

    networks: Networks
    scene: Scene
    sampling: Sampling
    smoothing: float = 1.0


class Opens(Protocol):
    """Opens the whole clip that a stretch belongs to, when something of it is missing."""

    def __call__(self) -> AbstractContextManager[OpenRender]: ...


class KeptFrames:
    """Frames uint8 [n, side, side, 3], one file for each stretch, appended frame by frame.

    Args:
        folder: of all kept frames; those of one model and setting share a folder below it.
        model: networks that decide the frames, by weights.
        settings: whatever else does.
        side: of the frames, in pixels.
        most: frames that may still be rendered; None is as many as are missing, 0 only reads.
    """

    def __init__(
        self, folder: Path, model: Iterable[nn.Module | None], settings: object, side: int, most: int | None
    ) -> None:
        self.folder = folder / fingerprint(*model, settings)
        self.side, self.left = side, most

    def frames(self, name: str, opens: Opens, start: int, count: int) -> np.ndarray:
        """Frames ``start`` to ``start + count`` of a clip, as many of the first of them as there are."""
        path = self.folder / f"{name}_{start}.u8"
        path.parent.mkdir(parents=True, exist_ok=True)
        have = len(self._read(path))
        wanted = count - have if self.left is None else min(self.left, count - have)
        if wanted > 0:
            with opens() as render, path.open("r+b" if path.exists() else "wb") as file:
                # Writing may have been stopped in the middle of a frame.
                file.truncate(have * self._bytes)
                file.seek(0, 2)
                for frame in islice(rendered(render, start + have), wanted):
                    file.write(frame.tobytes())
                    file.flush()
        if self.left is not None:
            self.left -= max(0, wanted)
        return self._read(path)[:count]

    @property
    def _bytes(self) -> int:
        return 3 * self.side**2

    def _read(self, path: Path) -> np.ndarray:
        count = path.stat().st_size // self._bytes if path.exists() else 0
        flat = np.fromfile(path, np.uint8, count * self._bytes) if count else np.empty(0, np.uint8)
        return flat.reshape(count, self.side, self.side, 3)


def rendered(render: OpenRender, start: int) -> Iterator[np.ndarray]:
    """Frames from ``start`` on, to the bit as of the whole; only what they depend on is rendered besides."""
    first = start // VAE_BATCH * VAE_BATCH
    with torch.no_grad():
        frames = render_frames(
            render.networks, render.scene, render.sampling, smoothing=render.smoothing, first_frame=first
        )
        yield from islice(frames, start - first, None)
