"""Lips of the bundled portrait in the widest smiles: they meet at the corners, and nothing tears there."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from eadnet.rig.curves import Graphs, covered
from eadnet.rig.mixing import Rest, mix
from eadnet.rig.rig import Rig
from eadnet.rig.topology import LIP_RINGS, LOWER_INNER, UPPER_INNER
from eadnet.rig.track import Track
from eadnet.rig.units.mouth import JAW_GAP

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


def spoken(**curves: list[float]) -> Tensor:
    """The lips' own opening, in eye distances, of curves by name."""
    return portrait_rig().gap(Track.of(curves).values)


def test_lips_part_as_far_as_the_jaw_is_asked_to_and_from_the_first_moment() -> None:
    """Against what the jaw asks: a straight line, whether they are rounded or not."""
    jaw = [0.0, 0.05, 0.1, 0.2, 0.4, 0.6]
    plain, rounded = spoken(jaw_open=jaw), spoken(jaw_open=jaw, lip_funnel=[0.3] * 6)
    asked = torch.tensor(jaw)
    assert torch.allclose(plain - plain[0], asked * (plain[-1] - plain[0]) / 0.6, atol=0.006)
    assert torch.allclose(rounded[2:], plain[2:], atol=0.012), (
        "a funnel opens nothing that the jaw has opened"
    )
    assert float(rounded[0]) > 0.01, "by itself it does"


def test_lips_that_are_apart_in_the_picture_open_by_less_at_first_and_never_close_by_opening() -> None:
    own = 0.06
    jaw = torch.linspace(0, 0.6, 25)
    parameters = Track.of({"jaw_open": jaw}).values
    column = portrait_rig().stage.names.index("jaw_open")
    closed, apart = (mix(parameters, Rest(gap), portrait_rig().stage.names)[:, column] for gap in (0.0, own))
    assert torch.allclose(closed, jaw, atol=1e-5)
    assert bool((apart.diff() > 0).all()) and float(apart[0]) == 0
    left = own + JAW_GAP * apart - JAW_GAP * jaw  # what the picture's own gap adds
    assert (
        float(left[0]) == pytest.approx(own) and bool((left.diff() < 1e-6).all()) and float(left[-1]) < 0.02
    )


@lru_cache(maxsize=1)
def shouting() -> tuple[Rig, Tensor]:
    """A rig of a mouth that is open in its picture, dark inside, with the mesh."""
    picture, mesh = bundled_head()
    rows = list(LOWER_INNER[1:-1])
    open_ = mesh.clone()
    size = float((mesh[33, :2] - mesh[263, :2]).norm())
    wide = 1 - torch.linspace(-1, 1, len(rows) + 2)[1:-1].abs() ** 6
    open_[rows, 1] += 0.12 * size * wide
    dark = picture.clone()
    for upper, lower in zip(UPPER_INNER, LOWER_INNER, strict=True):
        x = int(open_[upper, 0])
        dark[int(open_[upper, 1]) : int(open_[lower, 1]) + 1, x - 6 : x + 7] = 20
    return Rig.build(dark, open_), open_


def test_a_mouth_that_is_open_in_the_picture_meets_from_corner_to_corner() -> None:
    rig, mesh = shouting()
    placed = rig.landmarks(rows(jaw_open=0.0))[0]
    gap = (placed[list(LOWER_INNER), 1] - placed[list(UPPER_INNER), 1]) / rig.face.scale
    before = (mesh[list(LOWER_INNER), 1] - mesh[list(UPPER_INNER), 1]) / rig.face.scale
    assert float(before.max()) > 0.15 and float(gap.max()) < 0.01


def test_no_dark_of_an_open_mouth_stays_between_lips_that_are_closed() -> None:
    rig, _ = shouting()
    frame = rig.frames(rows(jaw_open=0.0))[0]
    placed = rig.landmarks(rows(jaw_open=0.0))[0]
    lips = at(frame, (placed[list(UPPER_INNER[2:-2])] + placed[list(LOWER_INNER[2:-2])]) / 2)
    assert float(lips.mean(1).min()) > 70


@pytest.mark.slow
def test_lower_teeth_come_down_with_the_jaw_of_a_mouth_that_is_open_in_the_picture() -> None:
    """As far as those of a closed one: a wide opening is dark in its middle, with teeth or tongue below."""
    for rig in (shouting()[0], portrait_rig()):
        wide = rows(jaw_open=0.9)
        frame, placed = rig.frames(wide)[0], rig.landmarks(wide)[0]
        share = torch.tensor([[0.45], [0.55], [0.85]])
        column = placed[13] * (1 - share) + placed[14] * share + torch.tensor([6.0, 0.0])
        dark, still_dark, low = at(frame, column).mean(1).tolist()
        assert max(dark, still_dark) < 60 < 90 < low
