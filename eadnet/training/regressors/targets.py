"""What the latent regressor predicts: standardised facial parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...dataset_format import ParameterLayout
from ...errors import InputError
from ..data.latents import LatentSet


@dataclass(frozen=True)
class ParameterTargets:
    """Standardised parameters without the head's pose, and the mouth's opening."""

    layout: ParameterLayout
    columns: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, data: LatentSet) -> ParameterTargets:
        """Raises InputError where the data set has no facial parameters."""
        if data.params is None or data.openings is None or data.layout is None:
            raise InputError(
                "The data set has no facial parameters, which a parameter regressor learns from."
            )
        columns = torch.tensor(data.layout.columns)
        values = torch.cat([data.params[..., columns], data.openings[..., None]], -1).flatten(0, 1)
        return cls(data.layout, columns, values.mean(0), values.std(0).clamp_min(0.02))

    def to(self, device: torch.device | str) -> ParameterTargets:
        return replace(
            self, columns=self.columns.to(device), mean=self.mean.to(device), std=self.std.to(device)
        )

    def __call__(self, params: Tensor | None, openings: Tensor | None) -> Tensor:
        """Targets [..., len(self)] of parameters [..., P] and openings [...].

        Raises InputError where a batch has none.
        """
        if params is None or openings is None:
            raise InputError(
                "This loss needs facial parameters, and the data set has none: set its weight to 0."
            )
        values = torch.cat([params[..., self.columns], openings[..., None]], -1)
        return (values - self.mean) / self.std

    @property
    def names(self) -> tuple[str, ...]:
        return self.layout.regressed

    @property
    def spoken(self) -> Tensor:
        """Which targets the speech moves, bool [len(self)]: the shapes of the mouth, and its opening."""
        moved = [name in self.layout.speech for name in self.names[:-1]]
        return torch.tensor([*moved, True], device=self.columns.device)

    def __len__(self) -> int:
        return len(self.mean)
