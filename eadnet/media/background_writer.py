"""Work in a thread of its own, so that the next piece can be made meanwhile."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_GRACE = 0.5  # seconds


class BackgroundWriter(Generic[T]):
    """Gives items to ``work`` in a thread, one after the other; at most ``waiting`` of them wait.

    At the end of its ``with`` statement everything that was given is worked on; at the end by an error, what
    can be in the `_GRACE`, so that Cancel is answered soon. What ``work`` raises is
    raised by the next call, or there; items after that are dropped.
    """

    def __init__(self, work: Callable[[T], object], waiting: int) -> None:
        self._work = work
        self._items: queue.Queue[tuple[T] | None] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._until = math.inf
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def __call__(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._items.put((item,))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is not None:
            self._until = time.monotonic() + _GRACE
        self._items.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (held := self._items.get()) is not None:
            if self._error is None and time.monotonic() < self._until:
                try:
                    self._work(held[0])
                except BaseException as error:
                    self._error = error
