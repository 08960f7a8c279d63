"""Sums and activations in memory that is there already, where no gradient needs what it held.

The numbers are the same; less is alive at a time and less is written.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def added(x: Tensor, fresh: Tensor) -> Tensor:
    """``x + fresh``, in the memory of ``fresh``, which nobody else may use."""
    return x + fresh if torch.is_grad_enabled() or x.dtype != fresh.dtype else fresh.add_(x)


def silu(fresh: Tensor) -> Tensor:
    """SiLU in the memory of ``fresh``, which nobody else may use."""
    return F.silu(fresh, inplace=not torch.is_grad_enabled())


def gated(value: Tensor, gate: Tensor) -> Tensor:
    """``value * gelu(gate)``, in one piece of new memory."""
    opened = F.gelu(gate)
    return value * opened if torch.is_grad_enabled() else opened.mul_(value)
