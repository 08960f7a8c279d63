"""Numbers of frames: which of the source stands behind which of the result, and many of them in short."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def bounce(available: int, wanted: int) -> Tensor:
    """Indices [wanted] into ``available`` frames that play forwards and backwards in turn: 0 1 2 1 0 1 2 ...

    The end frames are not shown twice in a row, so the motion turns round without a halt. A single frame is
    held; frames beyond ``wanted`` are left out. Raises InputError for counts below 1.
    """
    if available < 1:
        raise InputError("There is no image: connect a portrait or the frames of a video.")
    if wanted < 1:
        raise InputError(f"{wanted} frames are requested: use at least 1.")
    period = max(1, 2 * (available - 1))
    position = torch.arange(wanted) % period
    return torch.where(position < available, position, period - position)


def as_ranges(numbers: list[int]) -> str:
    """Ascending numbers in short: [1, 2, 3, 7] -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
