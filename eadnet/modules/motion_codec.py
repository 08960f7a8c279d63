"""Facial parameters as a map of the face, and back: the linear codec of the preset `motion` (ours).

The map is a latent like any other, [4, 8, 4]: eight rows from the brows down to the chin and the head, four
columns from left to right in the picture. Every cell holds one parameter, standardised, so that noise of unit
variance fits; a parameter has from one to twelve cells, on its own side of the face. Reading takes their
mean, which is the pseudo-inverse of the map: there and back is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, no_such
from ..network_config import has_no_memory

CHANNELS, ROWS, COLUMNS = 4, 8, 4

# Each row's four channels, each from left to right in the picture: a name for the four columns, two names for
# the halves, or four. The person's right side is the picture's left. A row holds what may be kept together.
CELLS: tuple[tuple[str, ...], ...] = (
    (
        "outer_brow_up_r inner_brow_up_r inner_brow_up_l outer_brow_up_l",
        "outer_brow_up_r inner_brow_up_r inner_brow_up_l outer_brow_up_l",
        "brow_lower_r brow_lower_l",
        "brow_lower_r brow_lower_l",
    ),
    (
        "blink_r blink_l",
        "blink_r blink_l",
        "upper_lid_raise_r upper_lid_raise_l",
        "lid_tighten_r lid_tighten_l",
    ),
    ("gaze_x", "gaze_x", "gaze_y", "gaze_y"),
    (
        "cheek_raise_r nose_wrinkle nose_wrinkle cheek_raise_l",
        "smile_r smile_l",
        "frown_r frown_l",
        "dimple_r chin_raise chin_raise dimple_l",
    ),
    ("upper_lip_raise", "lip_stretch", "lip_pucker", "lip_funnel"),
    ("lip_close", "lower_lip_depress", "lip_press", "lip_bite"),
    ("jaw_open", "jaw_open", "jaw_open", "tongue_up"),
    ("head_yaw", "head_pitch", "head_roll", "head_x head_y"),
)

_FARTHEST = 3.0


def _spread(cells: str) -> list[str]:
    names = cells.split()
    return [name for name in names for _ in range(COLUMNS // len(names))]


_NAMES: list[str] = [name for row in CELLS for cells in row for name in _spread(cells)]
"""The parameter of every cell, rows first, then channels, then columns."""


class MotionCodec(nn.Module):
    """Facial parameters [..., P] to maps [..., 4, 8, 4] and back.

    Args:
        names: of the parameters, in the order of their vectors. Those that the map does not hold decode to 0.
        low, high: the smallest and the largest value of each; what is decoded is clamped to them.
    """

    def __init__(self, names: Sequence[str], low: Sequence[float], high: Sequence[float]) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"names": list(names), "low": list(low), "high": list(high)}
        self.names = tuple(names)
        absent = sorted(set(_NAMES) - set(names))
        if absent or not len(names) == len(low) == len(high):
            raise InputError(
                f"The codec needs a range for each parameter, and all of the map's: {', '.join(absent)}."
            )
        place = {name: i for i, name in enumerate(self.names)}
        holds = torch.zeros(len(_NAMES), len(self.names))
        reads = torch.empty(len(self.names), len(_NAMES))
        if not has_no_memory():
            holds[torch.arange(len(_NAMES)), torch.tensor([place[name] for name in _NAMES])] = 1
            reads = torch.linalg.pinv(holds)
        self.register_buffer("mean", torch.zeros(len(self.names)))
        self.register_buffer("std", torch.ones(len(self.names)))
        self.register_buffer("_holds", holds, persistent=False)
        self.register_buffer("_reads", reads, persistent=False)
        self.register_buffer("_low", torch.tensor(low, dtype=torch.float32), persistent=False)
        self.register_buffer("_high", torch.tensor(high, dtype=torch.float32), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self._holds: Tensor
        self._reads: Tensor
        self._low: Tensor
        self._high: Tensor

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MotionCodec:
        return cls(config["names"], config["low"], config["high"])

    def standardise(self, params: Tensor, smallest: float = 0.04) -> None:
        """Take mean and spread from parameters [N, P]; a spread is at least ``smallest`` of the range, and so
        large that what is rare and strong, a blink, lies within `_FARTHEST` of them.
        """
        values = params.float()
        self.mean.copy_(values.mean(0))
        apart = (values - self.mean).abs()
        strongest = apart.kthvalue(max(1, round(0.995 * len(values))), dim=0).values
        spread = torch.maximum(values.std(0), strongest / _FARTHEST)
        self.std.copy_(torch.maximum(spread, smallest * (self._high - self._low)))

    def encode(self, params: Tensor) -> Tensor:
        """Parameters [..., P] to maps [..., 4, 8, 4]."""
        cells = ((params - self.mean) / self.std) @ self._holds.T
        return cells.unflatten(-1, (ROWS, CHANNELS, COLUMNS)).transpose(-3, -2)

    def standardised(self, latents: Tensor) -> Tensor:
        """Maps [..., 4, 8, 4] to standardised parameters [..., P], not clamped: what losses compare."""
        return latents.transpose(-3, -2).flatten(-3) @ self._reads.T

    def decode(self, latents: Tensor) -> Tensor:
        """Maps [..., 4, 8, 4] to parameters [..., P] within their ranges."""
        values = self.standardised(latents.float()) * self.std + self.mean
        held = self._holds.any(0)
        return torch.where(held, torch.minimum(torch.maximum(values, self._low), self._high), 0.0)

    def cells(self, names: Iterable[str]) -> Tensor:
        """The mask [4, 8, 4] that is 1 in the cells of these parameters. Raises InputError as `keep_mask`."""
        chosen = self._known(names)
        cells = torch.tensor([float(name in chosen) for name in _NAMES])
        return cells.view(ROWS, CHANNELS, COLUMNS).transpose(0, 1).to(self.mean.device)

    def keep_mask(self, names: Iterable[str]) -> Tensor:
        """The mask [1, 8, 4] that is 1 where a map is kept, if these parameters are: a place is kept where
        all that it holds is. Raises InputError for names that the map does not hold.
        """
        kept = self._known(names)
        cells = torch.tensor([float(name in kept) for name in _NAMES])
        return cells.view(ROWS, CHANNELS, COLUMNS).amin(1)[None].to(self.mean.device)

    def _known(self, names: Iterable[str]) -> set[str]:
        chosen = set(names)
        for name in sorted(chosen - set(_NAMES)):
            raise InputError(no_such("facial parameter of the map", name, sorted(set(_NAMES))))
        return chosen
