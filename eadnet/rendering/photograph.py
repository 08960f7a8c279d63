"""The warning that `mini`, which was trained on drawings only, is about to render a photograph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..faces.drawn import PHOTOGRAPH, is_photograph
from ..printable import get_logger

logger = get_logger(__name__)


@torch.no_grad()
def warn_of_photograph(preset: str, crop: Tensor, through_vae: Callable[[Tensor], Tensor]) -> None:
    """Warn when a model of this preset gets a photograph and was trained on drawings only.

    crop: [1, 3, R, R] in [-1, 1]; through_vae encodes and decodes it.
    """
    if preset == "mini" and is_photograph((crop + 1) / 2, (through_vae(crop).to(crop) + 1) / 2):
        logger.warning(PHOTOGRAPH)
