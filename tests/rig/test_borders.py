"""Where a picture ends the head's motion draws nothing in from beyond."""

from __future__ import annotations

import pytest
import torch

from eadnet.rig.borders import towards_borders
from eadnet.rig.canonical import canonical_face
from eadnet.rig.expression import INDEX, PARAMETERS
from eadnet.rig.rig import Rig

from .drawn import drawn_head


def test_motion_across_a_border_runs_out_there_and_motion_along_it_does_not() -> None:
    picture, mesh = drawn_head()
    height, width = picture.shape[:2]
    face = canonical_face(mesh)
    middle_of_bottom = torch.tensor([[width / 2, height - 1.0]])
    left = towards_borders(face, middle_of_bottom, (height, width))[0]
    assert float(left[1]) == 0 and float(left[0]) > 0.9
    assert float(towards_borders(face, face.centre[None, :2], (height, width)).min()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("amount", [-0.02, 0.02])
def test_a_head_that_rises_or_sinks_repeats_no_row_at_the_border(amount: float) -> None:
    """Rows of noise beside the border stay as different from each other as they were."""
    _, mesh = drawn_head()
    picture = torch.randint(0, 256, (256, 256, 3), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    row = torch.zeros(1, len(PARAMETERS))
    row[0, INDEX["head_y"]] = amount
    frame = Rig.build(picture, mesh).frames(row)[0].float()
    assert not torch.equal(frame, picture.float()), "the head must move"
    for edge in (frame[-6:], frame[:6]):
        assert float((edge[1:] - edge[:-1]).abs().mean(dim=(1, 2)).min()) > 20


@pytest.mark.parametrize(("cut", "axis"), [("top", 1), ("left", 0)])
def test_a_face_that_a_border_cuts_does_not_move_across_it(cut: str, axis: int) -> None:
    """Else everything between the border and the face's middle would be drawn long: brows first."""
    picture, mesh = drawn_head()
    height, width = picture.shape[:2]
    moved = mesh.clone()
    moved[:, axis] -= mesh[:, axis].amin() + 4
    face = canonical_face(moved)
    left = towards_borders(face, face.centre[None, :2], (height, width))[0]
    assert float(left[axis]) == 0, cut
    assert float(left[1 - axis]) > 0.9, cut
