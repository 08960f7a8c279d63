"""The table of `motion`'s SyncNet, on mouths that follow their sound and on mouths that do not."""

from __future__ import annotations

import torch
from torch import Tensor

from eadnet.driving.sync import embedding
from experiments.sync.real import HEADER, Part, row


def mouth(seed: int) -> Tensor:
    noise = torch.randn(3, 130, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(noise, 5, 1)[:, :125].relu().T


def cells(found: list[Part]) -> list[str]:
    return [cell.strip(" *") for cell in row("5", found).strip("|").split("|")]


def test_mouths_that_follow_their_sound_are_told_from_shifted_and_foreign_ones() -> None:
    found = [Part(f"speaker {n}", embedding(mouth(n)), embedding(mouth(n))) for n in range(10)]
    shown = cells(found)
    assert len(shown) == HEADER[0].count("|") - 1
    assert shown[:5] == ["5", "10", "1.000", "100% (100%)", "1.000"] and shown[8] == "100%"


def test_of_mouths_that_follow_nothing_nothing_is_told() -> None:
    found = [Part(f"speaker {n}", embedding(mouth(n)), embedding(mouth(100 + n))) for n in range(10)]
    shown = cells(found)
    assert 0.2 < float(shown[2]) < 0.8 and 0.2 < float(shown[4]) < 0.8
