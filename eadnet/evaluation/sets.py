"""Distances between the generated and the true videos as sets: FID and FVD. Features are kept, to resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import InputError
from ..media.clips import Frames, video_frames
from ..media.reader import VideoReader
from ..metrics.frechet import Gaussian, frechet_distance
from ..metrics.pairs import as_floats
from .networks import ScoringNetworks, stamp

FRAMES_PER_CLIP, WINDOWS_PER_CLIP = 32, 8


@dataclass(frozen=True)
class SetDistance:
    """A Fréchet distance: its title, the network, and how many features of either side it rests on."""

    title: str
    network: str
    value: float
    generated: int
    reference: int


def picture_features(frames: Frames, network: Any, most: int = FRAMES_PER_CLIP) -> Tensor:
    """Features [n, D] of up to ``most`` frames from all over a clip."""
    count = frames.shape[0]
    moments = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()
    return torch.cat([network(as_floats(frames[moment : moment + 1])) for moment in moments])


def window_features(frames: Frames, network: Any, most: int = WINDOWS_PER_CLIP) -> Tensor:
    """Features [n, D] of up to ``most`` windows from all over a clip, not overlapping; none if it is shorter
    than one.
    """
    length = network.frames
    starts = [start * length for start in range(frames.shape[0] // length)]
    if len(starts) > most:
        starts = [starts[round(k)] for k in np.linspace(0, len(starts) - 1, most)]
    found = [network(as_floats(frames[s : s + length]).movedim(0, 1)[None]) for s in starts]
    return torch.cat(found) if found else torch.zeros(0, network.dim)


def set_distances(
    generated: Sequence[Path], reference: Sequence[Path], networks: ScoringNetworks, kept: Path
) -> tuple[list[SetDistance], dict[str, str]]:
    """FID and FVD as far as their networks are there; the second part says what could not be computed.

    Args:
        generated, reference: the videos of both sets, which need not be pairs.
        kept: folder where features are kept.
    """
    found, missing = [], {}
    measures: tuple[tuple[str, Any, Callable[[Frames, Any], Tensor]], ...] = (
        ("FID", networks.inception, picture_features),
        ("FVD (VideoMAE)", networks.videomae, window_features),
    )
    for title, network, measure in measures:
        if network is None:
            continue
        sides = []
        for side, paths in (("generated", generated), ("reference", reference)):
            gaussian = Gaussian(network.dim)
            for path in paths:
                place = kept / side / f"{path.name}.{title[:3].lower()}.safetensors"
                gaussian.add(_kept_features(path, place, networks.marks(), network, measure))
            sides.append(gaussian)
        try:
            distance = frechet_distance(*sides)
            found.append(SetDistance(title, network.name, distance, sides[0].count, sides[1].count))
        except InputError as error:
            missing[title] = str(error)
    return found, missing


def _kept_features(
    path: Path, place: Path, marks: Sequence[str], network: Any, measure: Callable[[Frames, Any], Tensor]
) -> Tensor:
    """The features of a video, computed once; none of one that cannot be read."""
    mark = hashlib.sha256("\n".join([stamp(path), *marks]).encode()).hexdigest()
    if place.is_file():
        try:
            with safe_open(place, framework="pt") as file:
                if (file.metadata() or {}).get("mark") == mark:
                    return file.get_tensor("features")
        except SafetensorError:  # broken off while it was written
            pass
    try:
        with VideoReader(path) as pictures:
            features = measure(video_frames(pictures), network).contiguous()
    except InputError:
        return torch.zeros(0, network.dim)
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file({"features": features}, place, {"mark": mark})
    return features
