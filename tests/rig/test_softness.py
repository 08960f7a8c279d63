"""How soft a picture is, read off the edges in it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eadnet.rig.blur import blurred
from eadnet.rig.softness import softness_of

from .drawn import drawn_head

SCALE = 125.0  # eye distance of the drawn head at 512 pixels, about


def head() -> tuple[Tensor, Tensor]:
    """A picture [3, H, W] with sharp edges, and its mesh."""
    picture, mesh = drawn_head(2, 512)
    return picture[..., :3].permute(2, 0, 1).float(), mesh


def test_a_sharp_picture_is_not_soft() -> None:
    picture, mesh = head()
    assert softness_of(picture, mesh, SCALE) < 1.0


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_a_blur_is_found_again(sigma: float) -> None:
    """To within a factor of two, which is what painted teeth need."""
    picture, mesh = head()
    found = softness_of(blurred(picture[None], sigma)[0], mesh, SCALE)
    assert sigma / 2 < found < sigma * 2


def test_a_softer_picture_is_never_taken_for_a_sharper_one() -> None:
    picture, mesh = head()
    pictures = (blurred(picture[None], sigma)[0] for sigma in (0.0, 1.0, 1.5, 2.0, 3.0))
    found = [softness_of(soft, mesh, SCALE) for soft in pictures]
    assert found == sorted(found)


def test_a_smooth_face_is_no_focus_without_end() -> None:
    picture, mesh = head()
    flat = torch.full_like(picture, 128.0)
    assert 0.0 <= softness_of(flat, mesh, SCALE) <= 0.03 * SCALE


def test_a_face_outside_of_the_picture_tells_nothing() -> None:
    picture, mesh = head()
    assert softness_of(picture, mesh + 1e4, SCALE) == 0.0
