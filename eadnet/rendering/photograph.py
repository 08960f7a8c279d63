"""The note that `mini`, which was trained on drawings only, is about to render a photograph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..faces.drawn import PHOTOGRAPH, is_photograph


@torch.no_grad()
def photograph_note(preset: str, crop: Tensor, through_vae: Callable[[Tensor], Tensor]) -> str:
    """What to say when a model of this preset gets a photograph and was trained on drawings only; else "".

    crop: [1, 3, R, R] in [-1, 1]; through_vae encodes and decodes it.
    """
    if preset == "mini" and is_photograph((crop + 1) / 2, (through_vae(crop).to(crop) + 1) / 2):
        return PHOTOGRAPH
    return ""
