"""How far a render is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..sampling import SamplingProgress


@dataclass(frozen=True)
class StageProgress:
    """``done`` of ``total`` pieces of a stage ("follow" the face, "render"); seconds left in it at the pace
    so far, if known; of "render", the sampler's own report.
    """

    stage: str
    done: int
    total: int
    seconds_left: float | None = None
    sampling: SamplingProgress | None = None


OnProgress = Callable[[StageProgress], None]
