"""Drawings told from photographs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from eadnet.faces.drawn import FLATTEST_PHOTOGRAPH, is_photograph, line_contrast, returned
from eadnet.media.images import read_image

PORTRAIT = Path(__file__).parents[2] / "eadnet" / "assets" / "portrait.png"


def crop(picture: torch.Tensor, side: int = 128) -> torch.Tensor:
    return F.interpolate(picture[None, ..., :3].movedim(-1, 1), (side, side), mode="bilinear", antialias=True)


def grainy() -> torch.Tensor:
    """Soft shading with grain, as a camera gives it."""
    generator = torch.Generator().manual_seed(0)
    soft = F.interpolate(torch.rand(1, 3, 9, 9, generator=generator), (128, 128), mode="bicubic").clamp(0, 1)
    return (0.2 + 0.6 * soft + 0.02 * torch.randn(1, 3, 128, 128, generator=generator)).clamp(0, 1)


def test_the_bundled_portrait_is_a_drawing_at_any_size() -> None:
    picture = read_image(PORTRAIT)
    for side in (128, 256, 512):
        drawn = crop(picture, side)
        assert float(line_contrast(drawn)) > FLATTEST_PHOTOGRAPH
        assert not is_photograph(drawn, drawn)


def test_grain_makes_a_photograph_and_so_does_a_picture_the_autoencoder_cannot_hold() -> None:
    assert is_photograph(grainy(), grainy())
    drawn = crop(read_image(PORTRAIT))
    assert is_photograph(drawn, (drawn + 0.1).clamp(0, 1))


def test_brightness_of_the_whole_picture_does_not_matter() -> None:
    drawn = crop(read_image(PORTRAIT))
    assert float(line_contrast(drawn)) == pytest.approx(float(line_contrast(0.5 * drawn)), rel=1e-3)


def test_what_comes_back_is_measured_within_the_face() -> None:
    drawn = torch.full((1, 3, 128, 128), 0.5)
    off = drawn + 0.1
    assert float(returned(drawn, off)) == pytest.approx(20.0, abs=1e-3)
    off[..., 60:100, 40:90] = drawn[..., 60:100, 40:90]
    assert float(returned(drawn, off)) > 20.5
    corner = drawn.clone()
    corner[..., :8, :8] = 0
    assert float(returned(drawn, corner)) == pytest.approx(100.0), "the background is no matter"
