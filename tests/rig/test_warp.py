"""The way back through a warp, where skin shears as much as it does at the corners of a mouth."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from eadnet.rig.warp import inverse, stretch

STEPS = (4.0, 4.0)
SIZE = 60


def sheared(jump: float) -> Tensor:
    """A lip whose corner stays while its middle drops by `jump` pixels, [1, SIZE, SIZE, 2]."""
    y, x = torch.meshgrid(torch.arange(SIZE) * 4.0, torch.arange(SIZE) * 4.0, indexing="ij")
    drop = jump * torch.sigmoid((x - 110) / 4.0) * torch.exp(-(((y - 120) / 60) ** 2))
    return torch.stack([-0.35 * drop, drop], -1)[None]


@pytest.mark.parametrize("jump", [6.0, 20.0, 36.0])
def test_what_came_from_a_place_goes_back_there(jump: float) -> None:
    """q + u, moved by d, is q again: to a tenth of a pixel, however steep the shear."""
    moves = sheared(jump)
    assert float(stretch(moves, STEPS).min()) > 0.1, "the field must not fold over"
    found = inverse(moves, STEPS)
    scale = 2 / ((SIZE - 1) * 4.0)
    line = torch.linspace(-1, 1, SIZE)
    base = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    again = F.grid_sample(
        moves.permute(0, 3, 1, 2), base + found * scale, "bilinear", "border", align_corners=True
    )
    missed = (found + again.permute(0, 2, 3, 1)).norm(dim=-1)[:, 12:-12, 12:-12]
    assert float(missed.max()) < 0.1


def test_no_displacement_comes_from_where_it_is() -> None:
    assert torch.equal(inverse(torch.zeros(2, 9, 11, 2), (3.0, 5.0)), torch.zeros(2, 9, 11, 2))
