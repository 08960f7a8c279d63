"""Compiling a network where the machine can."""

from __future__ import annotations

import torch
from torch import nn

from ..printable import get_logger

logger = get_logger(__name__)


def compile_where_possible(network: nn.Module, device: torch.device) -> bool:
    """Have a network compiled by `torch.compile` when it first computes; whether it will be.

    A compiler is not everywhere (C++ for the processor, Triton for CUDA), and torch says so only in the
    middle of the work, so a line of arithmetic is compiled first. Where that fails the network stays as it
    is, and a message says why.
    """
    try:
        torch.compile(lambda x: x * 2 + 1)(torch.ones(2, device=device))
    except Exception as error:  # of many kinds: what is missing is the compiler's own matter
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        logger.warning("The network runs as usual and is not compiled: this system cannot (%s).", reason)
        return False
    network.compile()
    return True
