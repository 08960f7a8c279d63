"""What every recording must be, wherever it comes from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError


def check_waveform(waveform: Tensor, where: str = "the audio") -> Tensor:
    """The samples as float32 in their own shape, or an error.

    Raises:
        InputError: no samples, or samples that are not numbers (NaN, infinity).
    """
    if not isinstance(waveform, Tensor):
        waveform = torch.as_tensor(waveform)
    if waveform.numel() == 0:
        raise InputError(f"{where} has no samples: use longer audio.")
    if not waveform.is_floating_point():
        raise InputError(f"{where} holds {waveform.dtype} samples: use floating-point samples in -1..1.")
    waveform = waveform.float()
    # The extremes are not finite if any sample is not, and need no memory, unlike a mask of all samples.
    if not all(math.isfinite(float(extreme)) for extreme in torch.aminmax(waveform)):
        raise InputError(f"{where} contains NaN or infinite samples: export it again.")
    return waveform
