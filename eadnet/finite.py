"""Results that are no numbers (NaN, infinities), found where they arise and named after what gave them.

One reduction and one answer from the device for a piece of many frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import InputError

# What to do about the networks that both the library and the nodes call.
SCORE_ADVICE = "download its weights again, or compute in float32"
TEXT_ADVICE = "load the text encoder in float32, or download its weights again"


def all_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    return not values.is_floating_point() or bool(torch.isfinite(values).all())


def check_result(values: Tensor, part: str, advice: str) -> Tensor:
    """The values; InputError with the ``part`` that gave them and what to do, unless all are finite."""
    if not all_finite(values):
        raise InputError(f"The {part}'s result is not finite (NaN or infinite): {advice}.")
    return values
