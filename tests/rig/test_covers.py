"""What is hidden stays as it is, and one sentence says so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.rig.rig import Rig
from eadnet.rig.topology import EYES, LOWER_OUTER, UPPER_OUTER
from eadnet.rig.track import Track
from tests.quick import some

from .drawn import bundled_head, drawn_head


def rows(**values: float) -> Tensor:
    return Track.of({name: [value] for name, value in values.items()}).values


def painted(rows_: list[int], pad: float, colour: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """The bundled portrait with a rectangle around some of its points, and its mesh."""
    picture, mesh = bundled_head()
    picture = picture.clone()
    scale = float((mesh[33, :2] - mesh[263, :2]).norm())
    low = (mesh[rows_, :2].amin(0) - pad * scale).long().clamp(min=0)
    high = (mesh[rows_, :2].amax(0) + pad * scale).long()
    picture[int(low[1]) : int(high[1]), int(low[0]) : int(high[0]), :3] = torch.tensor(
        colour, dtype=torch.uint8
    )
    return picture, mesh


@pytest.mark.parametrize("colour", some(1, [((110, 150, 185),), ((15, 15, 18),)]))
def test_no_mouth_is_painted_on_a_mask(colour: tuple[int, int, int]) -> None:
    picture, mesh = painted([*UPPER_OUTER, *LOWER_OUTER], 0.22, colour)
    rig = Rig.build(picture, mesh)
    assert any("mouth is covered" in note for note in rig.notes)
    still, smile = rig.frames(torch.cat([rows(blink=0.0), rows(smile=1.0, jaw_open=0.8)]))
    lips = mesh[[*UPPER_OUTER, *LOWER_OUTER], :2].round().long()
    assert torch.equal(still[lips[:, 1], lips[:, 0]], smile[lips[:, 1], lips[:, 0]])
    brows = rig.frames(rows(inner_brow_up=1.0))[0]
    assert not torch.equal(brows, still), "the rest of the face moves"


@pytest.mark.slow
def test_dark_lenses_are_not_blinked_with() -> None:
    eyes = [row for eye in EYES.values() for row in (*eye.upper, *eye.lower)]
    picture, mesh = painted(eyes, 0.12, (12, 12, 14))
    rig = Rig.build(picture, mesh)
    assert any("eyes are covered" in note for note in rig.notes)
    still, closed = rig.frames(torch.cat([rows(blink=0.0), rows(blink=1.0, gaze_x=0.8)]))
    assert torch.equal(still, closed)


@pytest.mark.slow
def test_closed_eyes_stay_closed() -> None:
    picture, mesh = drawn_head()
    mesh = mesh.clone()
    for eye in EYES.values():
        mesh[list(eye.upper), :2] = mesh[list(eye.lower), :2] - torch.tensor([0.0, 1.0])
    rig = Rig.build(picture, mesh)
    assert any("eyes are closed" in note for note in rig.notes)
    still, wide = rig.landmarks(torch.cat([rows(blink=0.0), rows(upper_lid_raise=1.0)]))
    assert torch.equal(still, wide)


def test_a_bare_face_has_nothing_hidden() -> None:
    assert Rig.build(*drawn_head()).notes == Rig.build(*bundled_head()).notes == ()
