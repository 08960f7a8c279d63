"""How much a mouth moves while nothing is heard (KeySync's leakage, arXiv 2505.00497, on our landmarks).

A video made with silent sound should show a closed, still mouth; what moves in it came through the mask or
the reference. Measured is the standard deviation of how far the inner lips are apart, in distances of the
outer eye corners, and the same of clips made with their sound beside it. Reconstruction: KeySync's own number
is a threshold on such a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError
from ..metrics.intervals import Interval, mean_interval
from .networks import ScoringNetworks
from .subject import Subject

_UPPER, _LOWER, _EYES = [61, 62, 63], [67, 66, 65], (36, 45)


@dataclass(frozen=True)
class Leakage:
    """Movement with silence, and with sound, over clips; the share is of their means."""

    silent: Interval
    speaking: Interval

    @property
    def share(self) -> float:
        return self.silent.mean / max(self.speaking.mean, 1e-9)


def movement(points: Tensor) -> float:
    """The standard deviation of the lips' distance, of landmarks [T, 68, 2] where there is a face."""
    apart = (points[:, _UPPER] - points[:, _LOWER]).norm(dim=-1).mean(-1)
    width = (points[:, _EYES[0]] - points[:, _EYES[1]]).norm(dim=-1)
    opening = apart / width
    return float(opening[opening.isfinite()].std())


def leakage(silent: Sequence[Path], speaking: Sequence[Path], networks: ScoringNetworks) -> Leakage:
    """Of videos made with silent sound beside those with their own.

    Raises InputError where there is no landmark network, or nothing to see on one of the sides.
    """
    if networks.landmarks is None:
        raise InputError("Leakage needs the landmark network: put its file into the folder of --models.")
    sides = []
    for title, paths in (("silent", silent), ("speaking", speaking)):
        values = []
        for path in paths:
            try:
                with Subject(path, networks.detector()) as subject:
                    values.append(movement(subject.points(networks.landmarks)))
            except InputError:
                continue
        values = [value for value in values if torch.isfinite(torch.tensor(value))]
        if not values:
            raise InputError(f"No face was found in the {title} videos: check them.")
        sides.append(mean_interval(values))
    return Leakage(*sides)
