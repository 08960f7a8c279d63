"""How a model is sampled where nobody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import MODES
from .savings import Savings


@dataclass(frozen=True)
class Way:
    """A solver, its number of steps, how windows lie and what is left out: measured together, so a model has
    them together. ``steps`` None are those of the model's `defaults`.
    """

    scheduler: str = "ddim"
    steps: int | None = None
    window_mode: str = MODES[0]
    savings: Savings = Savings()
