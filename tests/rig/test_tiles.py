"""Small pictures of eyes and mouths, laid over a box of the large one."""

from __future__ import annotations

import pytest
import torch

from eadnet.rig.eyes import read_tile
from eadnet.rig.mouth import read_zero


@pytest.mark.parametrize("read", [read_tile, read_zero])
@pytest.mark.parametrize("coarse", [1, 4])
def test_a_coarser_tile_covers_the_same_box(read: object, coarse: int) -> None:
    """A ramp along x, of so many pixels of the picture to one of the tile."""
    box = (100, 50, 140, 90)
    tile = (torch.arange(40 // coarse) * coarse + (coarse - 1) / 2).expand(1, 40 // coarse, -1).float()
    x, y = torch.tensor([[[110.0, 120.0, 130.0]]]), torch.tensor([[[70.0]]])
    found = read(tile, box, x, y)  # type: ignore[operator]
    assert torch.allclose(found.flatten(), torch.tensor([10.0, 20.0, 30.0]), atol=1e-3)
