"""Heads that turn further than they are turned in their picture: the far cheek does not fold."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from eadnet.faces.mean_face import mean_face
from eadnet.rig.canonical import canonical_face
from eadnet.rig.sheets import sheets
from eadnet.rig.units import Ground, units

SIDE, EYES = 512, (33, 263)  # the picture's, in pixels; outer corners


def turned(degrees: float) -> Tensor:
    """The mean face's mesh [478, 3] in a picture of `SIDE` pixels, turned about its own upright axis."""
    mesh = torch.from_numpy(mean_face()).float()
    mesh = mesh - mesh[:468].mean(0)
    angle = math.radians(degrees)
    x = mesh[:, 0] * math.cos(angle) + mesh[:, 2] * math.sin(angle)
    z = mesh[:, 2] * math.cos(angle) - mesh[:, 0] * math.sin(angle)
    mesh = torch.stack([x, mesh[:, 1], z], 1)
    scale = 100 / float((mesh[EYES[0], :2] - mesh[EYES[1], :2]).norm())
    return mesh * scale + torch.tensor([SIDE / 2, SIDE / 2, 0.0])


@pytest.mark.parametrize("degrees", [-25.0, 0.0, 25.0])
@pytest.mark.parametrize("name", ["head_yaw", "head_pitch"])
def test_neighbours_never_change_places(degrees: float, name: str) -> None:
    """A field steeper than 1 draws a place twice, as bumps along the cheek."""
    face = canonical_face(turned(degrees))
    ground = Ground.of(face.points[:468])
    moves = {name: units(ground)[name]}
    laid = sheets(face, ground, moves, (SIDE, SIDE))
    (field,) = laid.upper
    across = (field[:, 1:, 0] - field[:, :-1, 0]) / laid.steps[0]
    down = (field[1:, :, 1] - field[:-1, :, 1]) / laid.steps[1]
    assert max(float(across.abs().max()), float(down.abs().max())) < 1
