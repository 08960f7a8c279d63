"""Pictures as the networks take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_model_range(pictures: np.ndarray) -> Tensor:
    """uint8 [..., H, W, 3] to float32 [..., 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).movedim(-1, -3).float() / 127.5 - 1
