"""The local engine: so many processes, each of which takes one task after the other.

A process that dies takes nothing with it: the segment it was at is tried once more and then noted as failed,
another process takes its place. (`concurrent.futures` gives up the whole pool then.)
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..errors import CheckpointError, InputError
from .clip import Source
from .settings import Settings
from .tools import Tools, one_thread
from .work import Task, failed, look_at, part_source, writing
from .workplace import Workplace

TRIES = 2  # of a segment whose process dies
_BARREN = 3  # processes that die before they have begun anything

OnTask = Callable[[int, int], object]
"""Gets how many segments were looked at, and how many are known so far."""


@dataclass(frozen=True)
class Hands:
    """What a process does with its tasks; each can be sent to another process by its name."""

    part: Callable[[Workplace, Source, Settings], list[Task]] = part_source
    load: Callable[[Settings], Any] = Tools.load
    look: Callable[[Workplace, Task, Any, Callable[[int], object]], None] = look_at


def run_local(
    place: Workplace,
    sources: Sequence[Source],
    settings: Settings,
    workers: int,
    on_task: OnTask | None = None,
    hands: Hands | None = None,
) -> None:
    """Part all sources and look at all segments; what was done before is passed over.

    ``workers`` 0 is this process itself, for a debugger: what would kill a worker then ends the run.
    Raises InputError and CheckpointError where the run cannot go on.
    """
    hands = hands or Hands()
    waiting = deque(Task(source) for source in sources)
    if workers == 0:
        _run_here(place, settings, waiting, hands)
        return
    pool = _Pool(place, settings, waiting, on_task, hands)
    try:
        pool.run(min(workers, max(1, len(sources) * 2)))
    finally:
        pool.end()


def _run_here(place: Workplace, settings: Settings, waiting: deque[Task], hands: Hands) -> None:
    tools = None
    while waiting:
        task = waiting.popleft()
        if not task.numbers:
            waiting.extendleft(reversed(hands.part(place, task.source, settings)))
            continue
        tools = tools or hands.load(settings)
        hands.look(place, task, tools, lambda number: None)


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    task: Task | None = None
    number: int | None = None  # of the segment it is at


class _Pool:
    def __init__(
        self,
        place: Workplace,
        settings: Settings,
        waiting: deque[Task],
        on_task: OnTask | None,
        hands: Hands,
    ) -> None:
        self._place, self._settings, self._waiting, self._on_task = place, settings, waiting, on_task
        self._hands = hands
        self._workers: list[_Worker] = []
        self._deaths: Counter[tuple[str, int | None]] = Counter()
        self._barren = self._done = self._known = 0

    def run(self, count: int) -> None:
        while self._waiting or any(worker.task for worker in self._workers):
            while len(self._workers) < count and self._waiting:
                self._workers.append(self._start())
            for worker in self._workers:
                if worker.task is None and self._waiting:
                    self._give(worker, self._waiting.popleft())
            busy = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(busy)):
                self._hear(busy[connection])  # type: ignore[index]

    def end(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=_serve, args=(there, self._place, self._settings, self._hands, os.getpid()), daemon=True
        )
        process.start()
        there.close()
        return _Worker(process, here)

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.task, worker.number = task, None
        try:
            worker.connection.send(task)
        except (BrokenPipeError, ConnectionError):
            self._bury(worker)

    def _hear(self, worker: _Worker) -> None:
        try:
            what, told = worker.connection.recv()
        except (EOFError, ConnectionError):
            self._bury(worker)
            return
        if what == "begin":
            if worker.number is not None:
                self._report(1)
            worker.number = told
        elif what == "tasks":
            # First what is parted already: so few recordings lie on the disk at a time.
            self._waiting.extendleft(reversed(told))
            self._known += sum(len(task.numbers) for task in told)
            worker.task = None
            self._report(0)
        elif what == "done":
            self._report(worker.number is not None)
            worker.task = worker.number = None
        else:
            kind, sentence = told
            raise (CheckpointError if kind == CheckpointError.__name__ else InputError)(sentence)

    def _report(self, more: int) -> None:
        self._done += more
        if self._on_task:
            self._on_task(self._done, self._known)

    def _bury(self, worker: _Worker) -> None:
        """A process died: what it was at is tried once more, then given up; the rest goes on."""
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        task, number, code = worker.task, worker.number, worker.process.exitcode
        if task is None or (task.numbers and number is None):
            self._barren += 1
            if self._barren >= _BARREN:
                raise InputError(
                    f"The processes that prepare clips end at once ({_how(code)}): see above why."
                )
        if task is None:
            return
        if not task.numbers or number is not None:
            key = (task.source.id, number)
            self._deaths[key] += 1
            if self._deaths[key] >= TRIES:
                reason = f"the process that prepared it ended {TRIES} times ({_how(code)})"
                failed(self._place, task, number, reason)
                if not task.numbers:
                    return
        self._waiting.appendleft(task)


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def _serve(connection: Connection, place: Workplace, settings: Settings, hands: Hands, parent: int) -> None:
    """What a process does: take tasks until there are none, or whoever gave them is gone."""
    one_thread()
    tools: Any = None

    def begin(number: int) -> None:
        if os.getppid() != parent:
            raise EOFError
        connection.send(("begin", number))

    try:
        while True:
            task = connection.recv()
            if not task.numbers:
                with writing():
                    left = hands.part(place, task.source, settings)
                connection.send(("tasks", left))
                continue
            tools = tools or hands.load(settings)
            with writing():
                hands.look(place, task, tools, begin)
            connection.send(("done", None))
    except (EOFError, BrokenPipeError, ConnectionError, KeyboardInterrupt):
        return
    except (InputError, CheckpointError) as error:
        # As text: not every exception can be sent.
        connection.send(("fatal", (type(error).__name__, str(error))))
