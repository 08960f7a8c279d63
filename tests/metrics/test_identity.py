from __future__ import annotations

import pytest
import torch

from eadnet.errors import InputError
from eadnet.metrics.identity import identity_similarity


class Colours:
    """Knows people by the colour of their picture."""

    name = "colours"

    def __call__(self, faces: torch.Tensor) -> torch.Tensor:
        return faces.mean((2, 3))


def person(*colour: float) -> torch.Tensor:
    return torch.tensor(colour)[None, :, None, None].expand(1, 3, 8, 8)


def test_the_same_person_is_one_and_others_less():
    faces = torch.cat([person(0.8, 0.2, 0.1), person(0.4, 0.1, 0.05), person(0.1, 0.9, 0.1)])
    similarity = identity_similarity(faces, person(0.8, 0.2, 0.1), Colours())
    torch.testing.assert_close(similarity[:2], torch.ones(2))
    assert similarity[2] < 0.5


def test_several_portraits_make_one_person():
    portraits = torch.cat([person(1, 0, 0), person(0, 1, 0)])
    similarity = identity_similarity(person(0.5, 0.5, 0), portraits, Colours())
    assert float(similarity) == pytest.approx(1, abs=1e-6)


def test_a_portrait_with_nothing_in_it_is_refused():
    with pytest.raises(InputError, match="finds no face"):
        identity_similarity(person(1, 0, 0), person(0, 0, 0), Colours())
