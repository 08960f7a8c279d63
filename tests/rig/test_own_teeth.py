"""The teeth that a picture shows itself, however its face hangs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.rig.canonical import canonical_face
from eadnet.rig.colours import colours
from eadnet.rig.mouth import own_teeth
from eadnet.rig.patch import Upright, box_around
from eadnet.rig.topology import LOWER_INNER, LOWER_LIP, SKIN, UPPER_INNER

from .drawn import drawn_head


def smiling() -> tuple[Tensor, Tensor]:
    """A picture [3, H, W] of an open mouth that is dark below and white below its upper lip, and its mesh."""
    picture, mesh = drawn_head(2, 512)
    planes, mesh = picture[..., :3].permute(2, 0, 1).float(), mesh.clone()
    mesh[LOWER_LIP, 1] += 40.0
    mouth = mesh[[*UPPER_INNER, *LOWER_INNER], :2]
    (left, top), (right, bottom) = mouth.amin(0).int().tolist(), mouth.amax(0).int().tolist()
    planes[:, top : bottom + 2, left:right] = torch.tensor([60.0, 20.0, 20.0])[:, None, None]
    planes[:, top : top + 18, left:right] = 235.0
    return planes, mesh


def turned(planes: Tensor, mesh: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    for _ in range(turns):  # counterclockwise: right goes up
        mesh = torch.stack([mesh[:, 1], planes.shape[2] - 1 - mesh[:, 0], mesh[:, 2]], 1)
        planes = torch.rot90(planes, 1, (1, 2))
    return planes, mesh


def teeth(planes: Tensor, mesh: Tensor) -> Tensor:
    """Where the picture's own upper teeth are, [H, W]."""
    face = canonical_face(mesh)
    height, width = planes.shape[1:]
    rows = [*UPPER_INNER, *LOWER_INNER]
    box = box_around(mesh[rows, :2], 0.1 * face.scale, (0, 0, width, height))
    assert box is not None
    palette = colours(planes, mesh[:SKIN, :2], torch.zeros(0, 3))
    own = own_teeth(planes, mesh, Upright.of(face), box, palette, face.scale)
    assert own is not None
    whole = torch.zeros(height, width)
    whole[box[1] : box[3], box[0] : box[2]] = own.teeth[0]
    return whole


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_upper_row_is_the_same_however_the_face_hangs(turns: int) -> None:
    planes, mesh = smiling()
    upright = teeth(planes, mesh)
    assert float(upright.sum()) > 200, "there are teeth to find"
    found = torch.rot90(teeth(*turned(planes, mesh, turns)), -turns)
    both = torch.minimum(upright, found).sum() / torch.maximum(upright, found).sum()
    assert float(both) > 0.9
