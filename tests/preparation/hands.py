"""What a worker does, without networks: enough of it for the engines. Names of files say what happens."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.media.video import write_video
from eadnet.preparation.clip import Rejection, Source
from eadnet.preparation.manifest import row_of
from eadnet.preparation.pool import Hands
from eadnet.preparation.prepare import prepare
from eadnet.preparation.settings import Settings
from eadnet.preparation.shards import Sample, members, write_shard
from eadnet.preparation.work import PlaceError, Task
from eadnet.preparation.workplace import Plan, Workplace

SEGMENTS = 3


def part(place: Workplace, source: Source, settings: Settings) -> list[Task]:
    if "dies parting" in source.name:
        os.kill(os.getpid(), signal.SIGKILL)
    plan = place.read_plan(source)
    if plan is None:
        early = Rejection("length", "too short") if "short" in source.name else None
        plan = Plan(tuple(((50 * n, 4), early if n == 1 else None) for n in range(SEGMENTS)), 0)
        place.write_plan(source, plan, {"open": 0.5})
    left = tuple(n for n in plan.open_numbers() if place.read_row(source, n) is None)
    return [Task(source, left)] if left else []


def load(settings: Settings) -> str:
    return "tools"


def look(place: Workplace, task: Task, tools: Any, begin: Callable[[int], object]) -> None:
    source = task.source
    for number in task.numbers:
        if place.read_row(source, number) is not None:
            continue
        begin(number)
        if "dies" in source.name and number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if "breaks" in source.name and number == 1:
            raise RuntimeError("a fault nobody thought of")
        if "full" in source.name:
            raise PlaceError("The set cannot be written (no space): free some space.")
        bad = Rejection("sync", "low") if "bad" in source.name and number == 0 else None
        outcome: Any = bad or object()
        row = row_of(source, number, 50 * number, 4, outcome, {"caption": f"face {number}"})
        if bad is None:
            sample = Sample(row["id"], row, _film(place.folder(source), number), np.zeros(2560, np.float32))
            sample.tensors["parameters"] = torch.full((4, 2), float(number))
            write_shard(place.part(source, number), [(sample.id, members(sample))])
        place.write_row(source, number, row, {"one_face": 1.0})


def _film(folder: Path, number: int) -> bytes:
    path = folder / "film.mp4"
    write_video(path, [np.full((32, 32, 3), 40 * number, np.uint8)] * 4, 25, threads=1)
    data = path.read_bytes()
    path.unlink()
    return data


HANDS = Hands(part, load, look)


def look_slowly(place: Workplace, task: Task, tools: Any, begin: Callable[[int], object]) -> None:
    """A segment takes a while, so that a process can be killed at it."""

    def late(number: int) -> None:
        begin(number)
        time.sleep(0.3)

    look(place, task, tools, late)


def main(folder: str, out: str, faces: str) -> None:
    """A run by two such processes."""
    settings = Settings(faces=Path(faces), samples_per_shard=3)
    prepare(Path(folder), Path(out), settings, workers=2, hands=Hands(part, load, look_slowly))


if __name__ == "__main__":
    main(*sys.argv[1:])
