"""What is hidden stays as it is, and one sentence says so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.rig.covers import mouth_is_covered
from eadnet.rig.rig import Rig
from eadnet.rig.topology import EYES, LOWER_INNER, LOWER_OUTER, UPPER_INNER, UPPER_OUTER
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


def skin() -> tuple[int, int, int]:
    """Of the bundled portrait's cheeks."""
    picture, mesh = bundled_head()
    at = mesh[[50, 280, 205, 425], :2].round().long()
    red, green, blue = picture[at[:, 1], at[:, 0], :3].float().median(0).values.int().tolist()
    return red, green, blue


@pytest.mark.parametrize("colour", some(1, [((110, 150, 185),), ((15, 15, 18),), (None,)]))
def test_no_mouth_is_painted_on_a_mask(colour: tuple[int, int, int] | None) -> None:
    """Nor on a hand, which has the colour of the face."""
    picture, mesh = painted([*UPPER_OUTER, *LOWER_OUTER], 0.22, colour or skin())
    rig = Rig.build(picture, mesh)
    assert any("mouth is covered" in note for note in rig.notes)
    still, smile = rig.frames(torch.cat([rows(blink=0.0), rows(smile=1.0, jaw_open=0.8)]))
    lips = mesh[[*UPPER_OUTER, *LOWER_OUTER], :2].round().long()
    assert torch.equal(still[lips[:, 1], lips[:, 0]], smile[lips[:, 1], lips[:, 0]])
    brows = rig.frames(rows(inner_brow_up=1.0))[0]
    assert not torch.equal(brows, still), "the rest of the face moves"


@pytest.mark.slow
def test_lips_of_the_skins_colour_are_lips_where_a_line_parts_them() -> None:
    """As in drawings and on statues."""
    picture, mesh = painted([*UPPER_OUTER, *LOWER_OUTER], 0.22, skin())
    line = mesh[[*UPPER_INNER, *LOWER_INNER], :2].round().long()
    for dy in (-1, 0, 1):
        picture[line[:, 1] + dy, line[:, 0], :3] = 60
    assert not any("mouth is covered" in note for note in Rig.build(picture, mesh).notes)


def test_between_parted_lips_and_in_small_pictures_no_line_is_looked_for() -> None:
    picture, mesh = painted([*UPPER_OUTER, *LOWER_OUTER], 0.22, skin())
    flat = picture[..., :3].permute(2, 0, 1).float()
    assert mouth_is_covered(flat, mesh[:, :2])
    parted = mesh[:, :2].clone()
    parted[[14, 317, 87], 1] += 0.1 * float((mesh[33, :2] - mesh[263, :2]).norm())
    assert not mouth_is_covered(flat, parted)
    small = torch.nn.functional.interpolate(flat[None], scale_factor=0.2, mode="area")[0]
    assert not mouth_is_covered(small, mesh[:, :2] * 0.2)


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
