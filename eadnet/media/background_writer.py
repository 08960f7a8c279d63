"""Work in a thread of its own, so that the next piece can be made meanwhile."""

from __future__ import annotations

import contextlib
import contextvars
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


def in_thread(work: Callable[[], T], give_up: Callable[[], object] = lambda: None) -> T:
    """What ``work`` returns or raises, done in a thread. Ctrl-C is raised in the main thread alone, so that
    it never meets the work in a place that cannot bear it: where PyAV calls us to write, it would be
    swallowed, and the write with it. Then ``give_up`` is called, which is to end the work.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    try:
        thread.start()  # Ctrl-C may come while it waits for the thread to have begun
        while not done.wait(_PATIENCE):
            pass
    except BaseException:
        give_up()
        done.wait(None if thread.ident is not None else 1)
        raise
    if errors:
        raise errors[0]
    return results[0]


def _wait_for(ended: threading.Event) -> None:
    """Until a thread has ended, however often Ctrl-C is pressed: it is told to, and uses what is closed next.

    An event, because Python 3.11 takes a thread for ended whose `join` was interrupted.
    """
    while not ended.is_set():
        try:
            ended.wait(_PATIENCE)
        except KeyboardInterrupt:
            continue


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
        self._ended = threading.Event()
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
        if error is not None:
            self._end()
            return
        try:
            self._items.put(None)
            while not self._ended.wait(_PATIENCE):
                self._check()
        except BaseException:  # Ctrl-C: the thread uses what whoever comes next closes
            self._end()
            raise
        if self._error is not None:
            raise self._error

    def _end(self) -> None:
        """End the thread soon."""
        self._until = time.monotonic() + _GRACE
        try:
            self._items.put(None, timeout=_GRACE)
            self._ended.wait(_GRACE)
        except queue.Full:
            pass
        if not self._ended.is_set():
            self._give_up()
            with contextlib.suppress(queue.Full):
                self._items.put(None, timeout=60)
            _wait_for(self._ended)

    def _run(self) -> None:
        try:
            while (held := self._items.get()) is not None:
                if self._error is None and time.monotonic() < self._until:
                    try:
                        self._work(held[0])
                    except BaseException as error:
                        self._error = error
        finally:
            self._ended.set()
