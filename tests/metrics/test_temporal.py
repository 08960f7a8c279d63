from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from eadnet.errors import InputError
from eadnet.metrics.temporal import block_motion, flicker, jitter, warped_difference


@pytest.fixture(scope="module")
def texture() -> torch.Tensor:
    random = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    return F.interpolate(random, (80, 80), mode="bicubic")[0].clamp(0, 1)


def still(texture: torch.Tensor, count: int = 6) -> torch.Tensor:
    return texture.expand(count, -1, -1, -1)


def panned(texture: torch.Tensor, step: int) -> torch.Tensor:
    return torch.stack([texture[:, 8:72, 8 + step * t : 56 + step * t] for t in range(6)])


def test_a_still_clip_does_not_flicker_and_noise_does_the_more_the_worse(texture):
    clip = still(texture)
    assert flicker(clip) == flicker(clip, clip) == 0
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(1))
    values = [flicker(clip + s * noise, clip) for s in (0.01, 0.05, 0.2)]
    assert values == sorted(values) and values[0] > 0


def test_what_moves_in_the_reference_is_no_flicker(texture):
    reference = still(texture).clone()
    reference[:, :, :, 40:] = torch.rand(6, 3, 80, 40, generator=torch.Generator().manual_seed(2))
    generated = reference.clone()
    generated[:, :, :, 40:] = 0.5 + 0.5 * torch.rand(6, 3, 80, 40, generator=torch.Generator().manual_seed(3))
    assert flicker(generated, reference) < 1e-3


def test_a_reference_that_is_never_still_leaves_nothing_to_say(texture):
    moving = torch.stack([texture, 1 - texture, texture])
    assert math.isnan(flicker(moving, torch.stack([0 * texture, 0 * texture + 1, 0 * texture])))


@pytest.mark.parametrize("move", [(0, 0), (2, 0), (-1, 3), (3, -3)])
def test_blocks_are_found_where_they_were(texture, move):
    before = texture[:, 8:72, 8:72]
    after = texture[:, 8 + move[0] : 72 + move[0], 8 + move[1] : 72 + move[1]]
    inner = block_motion(before, after)[:, 1:-1, 1:-1]
    assert (inner == torch.tensor(move)[:, None, None]).float().mean() > 0.95


def test_even_motion_is_explained_and_flicker_is_not(texture):
    clip = panned(texture, 2)
    plain = float((clip[1:] - clip[:-1]).abs().mean())
    assert warped_difference(clip) < 0.25 * plain
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(4))
    values = [warped_difference(clip + s * noise) for s in (0.0, 0.05, 0.2)]
    assert values == sorted(values) and values[0] < values[1]


def test_even_motion_of_points_has_no_jitter_and_trembling_has():
    base = 50 * torch.rand(1, 10, 2, generator=torch.Generator().manual_seed(5))
    moving = base + torch.arange(20.0)[:, None, None]
    assert jitter(moving) < 1e-6
    noise = torch.randn(moving.shape, generator=torch.Generator().manual_seed(6))
    values = [jitter(moving + s * noise) for s in (0.1, 0.5, 2)]
    assert values == sorted(values)
    gap = (moving + 0.1 * noise).clone()
    gap[7] = float("nan")
    assert jitter(gap) == pytest.approx(values[0], rel=0.3)


def test_short_and_constant_clips_give_numbers_where_there_are_any(texture):
    one = texture[None]
    assert flicker(one) == flicker(one, one) == warped_difference(one) == 0
    grey = torch.full((4, 3, 16, 16), 0.5)
    assert flicker(grey) == warped_difference(grey) == 0
    assert math.isnan(jitter(torch.zeros(2, 5, 2)))
    with pytest.raises(InputError):
        flicker(texture)
