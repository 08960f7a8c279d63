"""Drift and seams of a long film, on tracks whose drift and seams are known."""

from __future__ import annotations

import numpy as np
import torch

from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.track import Track
from experiments.motion.film import drift, seams
from experiments.seams.changes import PERIOD


def repeated(times: int, fade: float = 0.0) -> Track:
    """A mouth that says the same again and again, ``fade`` less of it by the end."""
    values = torch.zeros(times * PERIOD, len(PARAMETERS))
    once = torch.rand(PERIOD, generator=torch.Generator().manual_seed(0))
    values[:, INDEX["jaw_open"]] = once.repeat(times) * torch.linspace(1, 1 - fade, times * PERIOD)
    return Track(values)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_film_that_repeats_itself_has_no_drift_and_one_that_fades_has() -> None:
    _, _, first, last, _ = drift(repeated(14), repeated(14))
    assert cells(first)[1:] == cells(last)[1:] and cells(last)[3] == "1.000"
    faded = cells(drift(repeated(14, fade=0.5), repeated(14))[3])
    assert float(faded[1]) < 0.7 * float(cells(first)[1])


def test_a_jump_at_borders_is_seen_and_moves_elsewhere_are_the_control() -> None:
    rng = np.random.default_rng(0)
    once = rng.standard_normal((PERIOD, 4))
    points = np.cumsum(np.tile(np.abs(once), (8, 1)), axis=0)
    borders = list(range(40, len(points), 40))
    plain = [float(cells(line)[2].split()[0]) for line in seams(points, borders)[2:]]
    assert plain[0] == plain[1] == 1.0
    for border in borders:
        points[border:] += np.abs(once).mean()
    at, elsewhere = (float(cells(line)[2].split()[0]) for line in seams(points, borders)[2:])
    assert at > 1.5 and elsewhere == 1.0
