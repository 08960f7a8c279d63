"""How a model is sampled where nobody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AutoSampler:
    """A solver and its number of steps, measured together. ``steps`` None are those of the model's
    `defaults`.
    """

    scheduler: str = "ddim"
    steps: int | None = None
