"""Lips of the bundled portrait in the widest smiles: they meet at the corners, and nothing tears there."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from eadnet.rig.curves import Graphs, covered
from eadnet.rig.rig import Rig
from eadnet.rig.topology import LIP_RINGS, LOWER_INNER, UPPER_INNER
from eadnet.rig.track import Track

from .drawn import bundled_head

SMILES = [
    {"smile": 1.0, "jaw_open": 0.35, "upper_lip_raise": 0.3, "cheek_raise": 0.8},
    {"smile": 1.0, "jaw_open": 0.8},
    {"lip_stretch": 0.9, "jaw_open": 0.4},
    {"jaw_open": 0.7},
]


def rows(**values: float) -> Tensor:
    return Track.of({name: [value] for name, value in values.items()}).values


@lru_cache(maxsize=1)
def portrait_rig() -> Rig:
    return Rig.build(*bundled_head())


def at(frame: Tensor, places: Tensor) -> Tensor:
    """Colours [n, 3] at places [n, 2] in pixels."""
    x, y = places.round().long().unbind(-1)
    return frame[y, x].float()


@pytest.mark.parametrize("face", SMILES)
def test_both_lips_go_on_to_the_corners(face: dict[str, float]) -> None:
    """Every place of either lip has the colour that it has in the picture: no skin, no teeth, no dark."""
    rig = portrait_rig()
    frame = rig.frames(rows(**face))[0]
    rest, moved = rig.landmarks(torch.cat([rows(blink=0.0), rows(**face)]))
    for _, upper, lower, _ in LIP_RINGS[1:3]:
        for lip in (list(upper), list(lower)):
            away = (at(frame, moved[lip]) - at(rig.picture, rest[lip])).abs().mean(1)
            assert float(away.max()) < 26, f"{lip[int(away.argmax())]} of {lip}"


@pytest.mark.parametrize("face", SMILES)
def test_the_opening_runs_out_in_a_point_at_either_corner(face: dict[str, float]) -> None:
    """From the middle outwards the lips come closer at every landmark, as people's do: 1 - |S|³."""
    rig = portrait_rig()
    moved = rig.landmarks(rows(**face))[0]
    gap = moved[list(LOWER_INNER), 1] - moved[list(UPPER_INNER), 1]
    across = moved[list(LOWER_INNER), 0]
    across = 2 * (across - across[0]) / (across[-1] - across[0]) - 1
    assert gap[0] == gap[-1] == 0
    slack = 0.04 * gap[5]
    assert bool((gap[:5] < gap[1:6] + slack).all()) and bool((gap[5:-1] > gap[6:] - slack).all())
    assert torch.allclose(gap / gap[5], 1 - across.abs() ** 3, atol=0.16)


def test_an_edge_is_as_soft_where_it_is_steep_as_where_it_is_level() -> None:
    """A line that falls by three pixels to one across: coverage goes from 0 to 1 within a pixel across it."""
    graphs = Graphs(0.0, 60.0, 240)
    table = graphs.table(torch.tensor([[[0.0, 0.0], [20.0, 60.0], [40.0, 120.0], [60.0, 180.0]]]))
    b, a = torch.meshgrid(torch.linspace(60, 120, 241), torch.linspace(20, 40, 81), indexing="ij")
    places = graphs.places(a)
    share = covered((b - graphs.read(table, places)) / graphs.read(graphs.steepness(table), places))[0]
    across = (b - 3 * a) / 10**0.5
    assert torch.allclose(share, (across + 0.5).clamp(0, 1), atol=0.06)
