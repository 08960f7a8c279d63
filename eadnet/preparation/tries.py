"""How often a piece of work was begun, on disk, for an engine whose processes nobody here watches.

Where a process dies, Ray begins its task again in another one. Two beginnings are allowed; the third notes
the segment, or the source, as failed, and the rest goes on: as the local engine does.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import CheckpointError, InputError
from .clip import Source
from .pool import TRIES, Hands
from .settings import Settings
from .shards import write_text
from .work import Task, failed, writing
from .workplace import Workplace

REASON = f"the process that prepared it ended {TRIES} times"


class _GivenUp(Exception):
    """A segment was begun often enough."""


def part_tried(place: Workplace, source: Source, settings: Settings, run: str, hands: Hands) -> list[Task]:
    """The tasks that are left of a source; none of one whose parting ended its process twice.

    ``run`` tells this run's beginnings from those of one that was stopped. Raises InputError and
    CheckpointError where the run cannot go on.
    """
    while count_try(place, source, None, run) <= TRIES:
        try:
            with writing():
                return hands.part(place, source, settings)
        except (InputError, CheckpointError):
            raise
        except Exception:  # a fault nobody thought of is tried once more, too
            continue
    failed(place, Task(source), None, REASON)
    return []


def look_tried(place: Workplace, task: Task, tools: Any, run: str, hands: Hands) -> None:
    """Decide on all segments of a task; those that ended their process twice are noted as failed."""
    at: list[int] = []

    def begin(number: int) -> None:
        at.append(number)
        if count_try(place, task.source, number, run) > TRIES:
            raise _GivenUp

    while True:
        at.clear()
        try:
            with writing():
                hands.look(place, task, tools, begin)
            return
        except (InputError, CheckpointError):
            raise
        except _GivenUp:
            failed(place, task, at[-1], REASON)
        except Exception:
            if not at:
                raise


def is_done(place: Workplace, source: Source) -> bool:
    """Whether all of a source is decided; looked up on disk alone, as what is left may end a process."""
    plan = place.read_plan(source)
    return plan is not None and all(place.read_row(source, n) is not None for n in plan.open_numbers())


def give_up(place: Workplace, source: Source, reason: str) -> None:
    """Note what is left of a source as failed."""
    plan = place.read_plan(source)
    if plan is None:
        failed(place, Task(source), None, reason)
        return
    for number in plan.open_numbers():
        if place.read_row(source, number) is None:
            failed(place, Task(source), number, reason)


def count_try(place: Workplace, source: Source, number: int | None, run: str) -> int:
    """Note one more beginning of a segment, or of the parting (None); returns how many there were in this
    run.
    """
    folder = place.folder(source)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / ("part.tries" if number is None else f"{number:05}.tries")
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        told = {}
    count = int(told.get("count", 0)) + 1 if told.get("run") == run else 1
    write_text(note, json.dumps({"run": run, "count": count}))
    return count
