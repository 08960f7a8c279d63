"""Tensors that come in one length and are given out in another."""

from __future__ import annotations

import torch

from eadnet.rendering.conditions import Pieces


def test_pieces_are_the_source_in_other_lengths() -> None:
    source = torch.arange(60.0).reshape(30, 2)
    pieces = Pieces(source.split([7, 1, 22]))
    assert torch.equal(torch.cat([pieces.take(count) for count in (3, 8, 0, 19)]), source)


def test_what_is_given_out_keeps_nothing_else_alive() -> None:
    pieces = Pieces([torch.zeros(250, 4), torch.zeros(250, 4)])
    for _ in range(60):
        assert pieces.take(8).untyped_storage().nbytes() == 8 * 4 * 4
