"""What a parameter regressor reads off a drawn face: the names of the numbers, in their order."""

from __future__ import annotations

from eadnet.synthetic.datasets import LAYOUT

NAMES = LAYOUT.regressed
OPENING = "mouth_opening"
