"""Folds and bulges are drawn near to their lines alone, and that is all of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.rig import relief as drawn
from eadnet.rig.canonical import Canonical, canonical_face
from tests.rig.drawn import drawn_head


@pytest.fixture(scope="module")
def face() -> Canonical:
    return canonical_face(drawn_head()[1])


def grid(left: float, top: float, right: float, bottom: float) -> Tensor:
    xs, ys = torch.linspace(left, right, 90), torch.linspace(top, bottom, 100)
    return torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)


WHOLE = (-2.4, -2.5, 2.4, 3.5)
PART = (-0.2, -0.1, 1.1, 1.6)  # a face that the picture's border cuts
NOWHERE = (6.0, 6.0, 8.0, 8.0)


@pytest.mark.parametrize("region", [WHOLE, PART])
def test_nothing_is_missing_beyond_what_is_drawn(
    face: Canonical, region: tuple[float, float, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    near = drawn.relief(face, grid(*region))
    monkeypatch.setattr(drawn, "_FAR", 1e3)
    everywhere = drawn.relief(face, grid(*region))
    assert near.names == everywhere.names
    assert float(everywhere.height.abs().max()) > 0.03 and float(everywhere.hollow.abs().max()) > 0.1
    assert torch.allclose(near.height, everywhere.height, rtol=0, atol=1e-8)
    assert torch.allclose(near.hollow, everywhere.hollow, rtol=0, atol=1e-7)


def test_a_map_that_no_fold_reaches_is_flat(face: Canonical) -> None:
    far = drawn.relief(face, grid(*NOWHERE))
    assert not far.height.any() and not far.hollow.any()
