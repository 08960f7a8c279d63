"""When memory runs out: knowing it, and going on with less at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from .errors import InputError
from .printable import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

# What devices and the computer say, in RuntimeErrors that have no class of their own.
_SIGNS = (
    "out of memory",  # CUDA, ROCm, MPS
    "can't allocate memory",  # PyTorch's allocator for the processor
    "not enough memory",  # the same on Windows
    "invalid buffer size",  # MPS, for one tensor that is larger than all of its memory
    "status_alloc_failed",  # cuDNN and cuBLAS
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device (any kind) or the computer ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def check_device(name: str) -> torch.device:
    """The device of this name. Raises InputError where it cannot compute."""
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {name} cannot be used: choose cpu or another one.") from error
    return device


def free_cached() -> None:
    """Give back what PyTorch keeps of a device's memory without using it."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if torch.xpu.is_available():
        torch.xpu.empty_cache()


def with_less(
    run: Callable[[int], T],
    size: int,
    smallest: int,
    what: str,
    *,
    may_repeat: Callable[[], bool] = lambda: True,
) -> T:
    """``run(size)``; when memory runs out, again with half the size, down to ``smallest``.

    A message says so: "... goes on with 8 WHAT". Once ``may_repeat`` says no (something was given out that
    cannot be taken back), lack of memory is an error like any other.
    """
    while True:
        try:
            return run(size)
        except Exception as error:
            if size <= smallest or not is_out_of_memory(error) or not may_repeat():
                raise
        # Outside the handler, where the failed attempt's tensors are no longer referenced.
        size = max(smallest, size // 2)
        free_cached()
        logger.warning("EAD-Net ran out of memory and goes on with %d %s.", size, what)


class FewerAtATime:
    """A network over frames [n, ...] that is given at most ``most`` of them at once: half as many, from then
    on, whenever memory runs out, down to one; a message says so. ``doing`` names the work in it.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], most: int, doing: str) -> None:
        self.most = most
        self._run, self._doing = run, doing

    def __call__(self, frames: Tensor) -> Tensor:
        begin = max(1, min(self.most, len(frames)))

        def in_parts_of(size: int) -> Tensor:
            if size < begin:  # it does not try again what failed
                self.most = size
            parts = [self._run(part) for part in frames.split(size)]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

        return with_less(in_parts_of, begin, 1, f"frames at a time, {self._doing}")
