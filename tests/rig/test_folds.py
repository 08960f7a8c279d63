"""Skin that would fold over itself gives way where it would, and nowhere else."""

from __future__ import annotations

import torch
from torch import Tensor

from eadnet.rig.folds import at_points, unfolded
from eadnet.rig.warp import stretch

STEPS = (4.0, 4.0)


def pressed(amount: float) -> Tensor:
    """A brow that comes down onto a lid that stays, [1, 40, 40, 2] pixels."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    down = amount * torch.sigmoid((16.0 - y) * 1.5) * torch.exp(-(((x - 20) / 6) ** 2))
    return torch.stack([torch.zeros_like(down), down], -1)[None]


def test_what_does_not_fold_is_returned_as_it_is() -> None:
    field = pressed(6.0)
    assert unfolded(field, STEPS) is field


def test_a_fold_is_smoothed_and_what_is_far_from_it_stays() -> None:
    field = pressed(24.0)
    assert float(stretch(field, STEPS).min()) < 0
    given = unfolded(field, STEPS)
    assert float(stretch(given, STEPS).min()) > 0
    assert torch.equal(given[:, 30:], field[:, 30:]) and torch.equal(given[:, :, :3], field[:, :, :3])
    assert float(given[0, 4, 20, 1]) > 0.85 * float(field[0, 4, 20, 1]), (
        "above the fold the brow is as far down"
    )


def test_frames_that_do_not_fold_are_not_touched_by_those_that_do() -> None:
    both = torch.cat([pressed(5.0), pressed(24.0)])
    given = unfolded(both, STEPS)
    assert torch.equal(given[0], both[0]) and not torch.equal(given[1], both[1])


def test_what_cannot_be_smoothed_is_held_back() -> None:
    wild = 40 * torch.randn(1, 20, 20, 2, generator=torch.Generator().manual_seed(3))
    assert float(stretch(unfolded(wild, STEPS), STEPS).min()) > 0


def test_a_field_is_read_between_its_nodes() -> None:
    field = torch.zeros(1, 3, 3, 2)
    field[0, 1, 2, 0] = 8.0
    read = at_points(field, torch.tensor([[18.0, 14.0], [16.0, 14.0]]), (10, 10, 19, 19))
    assert torch.allclose(read[0, :, 0], torch.tensor([8.0, 4.0]), atol=1e-4)
