"""When memory runs out: knowing it, and going on with less at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device (any kind) or the computer ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def free_cached() -> None:
    """Give back what PyTorch keeps of a device's memory without using it."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class FewerAtATime:
    """A network over frames [n, ...] that is given at most ``most`` of them at once: half as many, from then
    on, whenever memory runs out, down to one; a message says so. ``doing`` names the work in it.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], most: int, doing: str) -> None:
        self.most = most
        self._run, self._doing = run, doing

    def __call__(self, frames: Tensor) -> Tensor:
        while True:
            try:
                parts = [self._run(part) for part in frames.split(self.most)]
                return parts[0] if len(parts) == 1 else torch.cat(parts)
            except Exception as error:
                if self.most == 1 or not is_out_of_memory(error):
                    raise
            # Outside the handler, where the failed attempt's tensors are no longer referenced.
            self.most = max(1, min(self.most, len(frames)) // 2)
            free_cached()
            logger.warning(
                "EAD-Net ran out of memory and goes on %s %d frames at a time.", self._doing, self.most
            )
