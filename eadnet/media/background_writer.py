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
_PATIENCE = 0.2


class BackgroundWriter(Generic[T]):
    """Gives items to ``work`` in a thread, one after the other; at most ``waiting`` of them wait.

    At the end of its ``with`` statement everything that was given is worked on; at the end by an error, what
    can be in the `_GRACE`. Then ``give_up`` is called, which is to end the item that is worked on, so that
    Cancel is answered soon. ``check`` is called now and then by whoever waits to give an item, and may raise.
    What ``work`` raises is raised by the next call, or at the end; items after that are dropped.
    """

    def __init__(
        self,
        work: Callable[[T], object],
        waiting: int,
        *,
        give_up: Callable[[], object] = lambda: None,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._work, self._give_up, self._check = work, give_up, check
        self._items: queue.Queue[tuple[T] | None] = queue.Queue(waiting)
        self._error: BaseException | None = None
        self._until = math.inf
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def __call__(self, item: T) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._items.put((item,), timeout=_PATIENCE)
                return
            except queue.Full:
                self._check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is None:
            self._items.put(None)
            self._thread.join()
            if self._error is not None:
                raise self._error
            return
        self._until = time.monotonic() + _GRACE
        try:
            self._items.put(None, timeout=_GRACE)
            self._thread.join(_GRACE)
        except queue.Full:
            pass
        if self._thread.is_alive():
            self._give_up()
            self._items.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (held := self._items.get()) is not None:
            if self._error is None and time.monotonic() < self._until:
                try:
                    self._work(held[0])
                except BaseException as error:
                    self._error = error
