"""What a parameter regressor reads off a face: the names of the numbers, in their order."""

from __future__ import annotations

from eadnet.training.instrument import NAMES

__all__ = ["NAMES", "OPENING"]

OPENING = "mouth_opening"
