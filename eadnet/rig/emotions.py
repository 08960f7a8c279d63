"""An emotion as facial parameters, at an intensity that stays a face."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError
from .expression import EMOTIONS, INDEX, PARAMETERS, emotion_expression
from .track import columns

DEFAULT_INTENSITY = 0.75

__all__ = ["DEFAULT_INTENSITY", "EMOTIONS", "emotion_parameters"]


def emotion_parameters(emotion: str | Mapping[str, float], intensity: float = DEFAULT_INTENSITY) -> Tensor:
    """One of the eight emotions, or actions by name, at an intensity of 0 to 1 -> float32 [P].

    A name without its side means both. Raises InputError for an unknown name and for an intensity outside
    0..1.
    """
    if isinstance(emotion, str):
        return torch.from_numpy(emotion_expression(emotion, intensity))
    if not 0.0 <= intensity <= 1.0:
        raise InputError(f"The intensity is {intensity}: give a value from 0 to 1.")
    values = torch.zeros(len(PARAMETERS))
    for name, amount in emotion.items():
        values[columns(name)] = float(amount) * intensity
    assert len(values) == len(INDEX)
    return values
