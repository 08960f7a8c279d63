"""How a model is sampled where nobody says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AutoSampler:
    """A solver, its number of steps and where these lie, measured together. ``steps`` None are those of the
    model's `defaults`; ``spacing`` None is the scheduler's own or what the model's configuration says, else
    a value of ``timestep_spacing`` there.
    """

    scheduler: str = "ddim"
    steps: int | None = None
    spacing: str | None = None

    def config(self, of_model: Mapping[str, Any]) -> dict[str, Any]:
        """The scheduler's configuration, from the model's."""
        return {**of_model} if self.spacing is None else {**of_model, "timestep_spacing": self.spacing}
