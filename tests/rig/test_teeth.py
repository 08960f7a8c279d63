"""Teeth that nobody has seen: how a row ends."""

from __future__ import annotations

import pytest
import torch

from eadnet.rig.canonical import canonical_face
from eadnet.rig.colours import colours
from eadnet.rig.teeth import LOWER, UPPER, Row, render_row
from eadnet.rig.topology import SKIN

from .drawn import drawn_head


@pytest.mark.slow
@pytest.mark.parametrize("row", [UPPER, LOWER], ids=["upper", "lower"])
def test_a_row_fades_into_the_cheeks_instead_of_ending_in_an_edge(row: Row) -> None:
    picture, mesh = drawn_head(2, 512)
    planes = picture[..., :3].permute(2, 0, 1).float()
    face, palette = canonical_face(mesh), colours(planes, mesh[:SKIN, :2], torch.zeros(0, 3))
    middle = face.points[[13, 14]].mean(0)
    drawn = render_row(row, face, middle, palette, torch.tensor([0.0, 0.0, -1.0]), seed=3)
    across = drawn.alpha[0].amax(0)  # how much of the row is there in each column
    inside = across > 0.99
    first, last = inside.nonzero()[[0, -1], 0].tolist()
    assert bool(inside[first : last + 1].all()), "the row has no gaps"
    steps = across.diff().abs()
    # pixels of the drawn row to an eye distance
    pixels = drawn.alpha.shape[-1] / (drawn.box[2] - drawn.box[0]) * face.scale
    assert float(steps.max()) < 1.5 / (0.09 * pixels) + 0.02, "no step that the fading does not make"
    assert 0.3 < (last - first) / pixels < 0.9, "and the front teeth are whole"
