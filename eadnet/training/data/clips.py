"""Clips and stills on disk (see `eadnet.dataset_format`), and what the networks read from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...captions.dataset import load_captions
from ...dataset_format import CAPTIONS, ParameterLayout
from ...errors import InputError


def clip_name(row: int) -> str:
    """The file that a row becomes as a video, and by which captioners know it."""
    return f"{row:06d}.mp4"


def read_texts(folder: Path) -> list[dict[str, Any]]:
    """Descriptions of all rows. With a file of captions the words are its own, but emotion and intensity stay
    the truth.

    Raises InputError when a row has no caption in it.
    """
    rows: list[dict[str, Any]] = json.loads((folder / "texts.json").read_text())
    if not (folder / CAPTIONS).exists():
        return rows
    captions = load_captions(folder / CAPTIONS)
    missing = [name for entry in rows if (name := clip_name(entry["row"])) not in captions]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(rows)} clips have no caption in {CAPTIONS} (such as {missing[0]}): "
            "let `eadnet caption` finish, or take the file away."
        )
    return [{**entry, "text": captions[clip_name(entry["row"])].caption} for entry in rows]


Parameters = tuple[np.ndarray, np.ndarray, ParameterLayout] | tuple[None, None, None]


def read_parameters(folder: Path) -> Parameters:
    """Facial parameters, openings of the mouth and the names; None each where a data set has none."""
    if not (folder / "params.npy").exists():
        return None, None, None
    layout = ParameterLayout.read(folder)
    return np.load(folder / "params.npy"), np.load(folder / "openings.npy"), layout


class ClipSet:
    """A data set of clips, memory-mapped. `params`, `openings` and `layout` are None where it has none."""

    params: np.ndarray | None
    openings: np.ndarray | None
    layout: ParameterLayout | None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames = np.load(folder / "frames.npy", mmap_mode="r")
        self.references = np.load(folder / "references.npy", mmap_mode="r")
        self.params, self.openings, self.layout = read_parameters(folder)
        self.speech = np.load(folder / "speech.npy")
        self.texts = read_texts(folder)

    def __len__(self) -> int:
        return len(self.frames)

    def waveform(self, row: int) -> Tensor:
        """The speech [S] of a clip at 16 kHz, in [-1, 1]."""
        return torch.from_numpy(self.speech[row]).float() / 32767


class StillSet:
    """Stills of any expression, memory-mapped; parameters as in `ClipSet`.

    stills.npy    uint8   [N, S, S, 3]   `MOMENTS_PER_STILL_PERSON` of each person in a row
    params.npy    float32 [N, P]         facial parameters
    openings.npy  float32 [N]            true opening of the mouth
    calm.npy      uint8   [people, S, S, 3]  each person at rest
    """

    params: np.ndarray | None
    openings: np.ndarray | None
    layout: ParameterLayout | None

    def __init__(self, folder: Path) -> None:
        self.stills = np.load(folder / "stills.npy", mmap_mode="r")
        self.params, self.openings, self.layout = read_parameters(folder)
        self.calm = np.load(folder / "calm.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.stills)


class Labels(NamedTuple):
    """Facial parameters [..., P], openings of the mouth [...], and the parameters' names."""

    params: np.ndarray
    openings: np.ndarray
    layout: ParameterLayout


def labels_of(shown: ClipSet | StillSet) -> Labels:
    """Raises InputError where the data set has no facial parameters."""
    if shown.params is None or shown.openings is None or shown.layout is None:
        raise InputError("The data set has no facial parameters, which this needs.")
    return Labels(shown.params, shown.openings, shown.layout)
