"""The one door for AUDIO and for MASK: whatever other packs send, as we use it, or a sentence that names the
input. Frames have theirs in `footage.py`, widgets in `checks.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..eadnet.errors import InputError
from ..eadnet.media.recording import Recording, recording_of


def audio_of(value: Any, name: str = "audio", advice: str = "connect the speech") -> Recording:
    """An AUDIO as [C, S] samples and a rate (see `recording_of`)."""
    return recording_of(value, name, advice)


def mask_of(value: Any, name: str = "mask") -> Tensor:
    """A MASK as [B, H, W] floating point in 0..1, from [H, W], [B, H, W], [B, 1, H, W] or [B, H, W, 1] of any
    type of number: bytes are 0 to 255, other integers and truth values 0 and 1.
    """
    mask = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    if mask.ndim == 4 and mask.shape[-1] == 1 and mask.shape[1] != 1:
        mask = mask[..., 0]
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or 0 in mask.shape or mask.is_complex():
        raise InputError(
            f"The {name} input has the shape {list(mask.shape)}: a MASK has [batch, height, width] and at "
            "least one pixel."
        )
    mask = mask.float() / 255 if mask.dtype == torch.uint8 else mask.float()
    if not torch.isfinite(mask).all():
        raise InputError(f"The {name} input has values that are not finite: check the node that made it.")
    return mask.clamp(0, 1)
