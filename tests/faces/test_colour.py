from __future__ import annotations

import pytest
import torch

from eadnet.faces.colour import colour_change, ring, to_linear, to_srgb
from eadnet.faces.masks import mask_image

REGION = mask_image("face", 64)[None]


def matched(
    generated: torch.Tensor, original: torch.Tensor, where: torch.Tensor, strength: float = 1.0
) -> torch.Tensor:
    """Crops in [-1, 1] with the colours of the original's."""
    change = colour_change(generated, original, where, strength)
    return change.apply(generated / 2 + 0.5) * 2 - 1


def test_light_and_srgb_are_inverse() -> None:
    values = torch.linspace(0, 1, 300)
    torch.testing.assert_close(to_srgb(to_linear(values)), values, atol=1e-5, rtol=0)
    assert to_linear(torch.tensor(0.5)).item() == pytest.approx(0.2140, abs=1e-4)


def test_the_ring_surrounds_the_region() -> None:
    around = ring(REGION)
    assert not (around * REGION).any() and around.sum() > 100
    assert around[0, 0, 0, 0] == 0, "far from the region nothing is compared"


def test_a_tint_is_taken_over_from_what_surrounds_the_face() -> None:
    original = torch.rand(1, 3, 64, 64) * 0.6 - 0.2
    light = to_linear(original / 2 + 0.5)
    tinted = to_srgb(light * torch.tensor([1.1, 1.0, 0.9]).reshape(3, 1, 1)) * 2 - 1
    whole = matched(tinted, original, ring(REGION))
    assert (whole - original).abs().mean() < 0.1 * (tinted - original).abs().mean()
    half = matched(tinted, original, ring(REGION), 0.5)
    torch.testing.assert_close(half, (tinted + whole) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(matched(tinted, original, ring(REGION), 0), tinted, atol=1e-6, rtol=0)


def test_the_match_is_limited() -> None:
    original, generated = torch.full((1, 3, 64, 64), 0.9), torch.full((1, 3, 64, 64), -0.9)
    change = to_linear(matched(generated, original, ring(REGION)) / 2 + 0.5) - to_linear(generated / 2 + 0.5)
    assert 0 < change.max() < 0.1


def test_no_ring_no_match() -> None:
    generated = torch.rand(2, 3, 64, 64)
    same = matched(generated, -generated, ring(torch.ones(1, 1, 64, 64)))
    torch.testing.assert_close(same, generated, atol=1e-6, rtol=0)
