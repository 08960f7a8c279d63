"""The two pieces of work that engines share out: part a source into segments, and look at some of them."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..media.reader import Pictures
from .clip import At25, Clip, Rejection, Source
from .cutting import BLOCK, Part, cut, find_cuts, grouped, open_pictures, record_sound
from .manifest import row_of
from .settings import Settings
from .shards import Sample, members, write_shard
from .stages import STAGES, film
from .tools import Tools
from .workplace import Plan, Workplace

# Faults of the place, not of a clip: the run ends with them, and goes on when they are put right.
_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


class PlaceError(InputError):
    """The set cannot be written."""


@dataclass(frozen=True)
class Task:
    """Part a source (no ``numbers``), or look at these of its segments."""

    source: Source
    numbers: tuple[int, ...] = ()


def part_source(place: Workplace, source: Source, settings: Settings) -> list[Task]:
    """The tasks that are left of a source; its plan is on disk then. Raises PlaceError."""
    plan = place.read_plan(source)
    if plan is None:
        seconds: dict[str, float] = {}
        with writing():
            place.folder(source).mkdir(parents=True, exist_ok=True)
            try:
                plan = _planned(place, source, settings, seconds)
            except (InputError, OSError) as error:
                if _is_places(error):
                    raise
                plan = Plan(rejection=Rejection("readable", str(error)))
            place.write_plan(source, plan, seconds)
    left = [number for number in plan.open_numbers() if place.read_row(source, number) is None]
    return [Task(source, numbers) for numbers in grouped(left)]


def _planned(place: Workplace, source: Source, settings: Settings, seconds: dict[str, float]) -> Plan:
    with _timed(seconds, "open"):
        pictures = open_pictures(source)
    if isinstance(pictures, Rejection):
        return Plan(rejection=pictures)
    with pictures:
        with _timed(seconds, "sound"):
            speech = record_sound(source, place.folder(source) / "speech.f32")
        if isinstance(speech, Rejection):
            return Plan(rejection=speech)
        with _timed(seconds, "shots"):

            def cuts(shown: Pictures, block: Part, begins: bool) -> list[int]:
                found = place.read_cuts(source, block)
                if found is None:
                    found = find_cuts(shown, block, begins)
                    if block[1] == BLOCK:  # of a long file: it need not be looked through again
                        place.write_cuts(source, block, found)
                return found

            segments = tuple(cut(source, pictures, settings, cuts))
    if not segments:
        return Plan(rejection=Rejection("length", "none of the annotated times lies within the video"))
    return Plan(segments, speech.samples)


def look_at(
    place: Workplace,
    task: Task,
    tools: Tools,
    begin: Callable[[int], object] = lambda number: None,
) -> None:
    """Decide on segments; rows and samples are on disk then. ``begin`` gets the number of each before.

    What has its row is passed over. Raises PlaceError, and InputError where the file is another one by now.
    """
    plan = place.read_plan(task.source)
    if plan is None:
        raise InputError(f"{task.source.name} was changed while it was prepared: run the same command again.")
    pictures = open_pictures(task.source)
    try:
        for number in task.numbers:
            if place.read_row(task.source, number) is not None:
                continue
            begin(number)
            (first, frames), _ = plan.segments[number]
            seconds: dict[str, float] = {}
            with writing():
                if isinstance(pictures, Rejection):
                    outcome: Clip | Rejection = pictures
                    facts: dict[str, Any] = {}
                else:
                    clip = Clip(
                        segment_id(task.source, number),
                        task.source,
                        first,
                        frames,
                        At25(pictures, first, frames),
                        place.speech(task.source, plan.samples),
                    )
                    outcome, facts = through_stages(clip, tools, seconds)
                row = row_of(task.source, number, first, frames, outcome, facts)
                if isinstance(outcome, Clip):
                    with _timed(seconds, "written"):
                        sample = sample_of(outcome, row, tools.settings.resolution)
                        write_shard(place.part(task.source, number), [(sample.id, members(sample))])
                place.write_row(task.source, number, row, seconds)
    finally:
        if not isinstance(pictures, Rejection):
            pictures.close()


def through_stages(
    clip: Clip, tools: Tools, seconds: dict[str, float]
) -> tuple[Clip | Rejection, dict[str, Any]]:
    """A clip after the stages, or the first rejection; and all that was measured up to there."""
    for name, stage in STAGES:
        with _timed(seconds, name):
            try:
                outcome = stage(clip, tools)
            except InputError as error:  # a clip that nobody thought of is rejected with the reason
                outcome = Rejection(name, str(error))
        if isinstance(outcome, Rejection):
            return outcome, clip.facts | outcome.facts
        clip = outcome
    return clip, clip.facts


def segment_id(source: Source, number: int) -> str:
    return f"{source.id}-{number:05}"


def sample_of(clip: Clip, row: dict[str, Any], resolution: int) -> Sample:
    """What a shard holds of an accepted clip."""
    assert clip.sound is not None
    record = {
        name: value for name, value in row.items() if name not in ("status", "stage", "reason", "shard")
    }
    record["resolution"] = resolution
    return Sample(clip.id, record, film(clip), clip.sound, clip.tensors, clip.names)


def failed(place: Workplace, task: Task, number: int | None, reason: str) -> None:
    """Note that the process that worked on a source (None), or on one of its segments, ended."""
    rejection = Rejection("worker", reason)
    with writing():
        if number is None:
            place.write_plan(task.source, Plan(rejection=rejection), {})
            return
        plan = place.read_plan(task.source)
        if plan is not None:
            (first, frames), _ = plan.segments[number]
            row = row_of(task.source, number, first, frames, rejection, {})
            place.write_row(task.source, number, row, {})


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Adds the processor time of this process."""
    start = time.process_time()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - start


@contextmanager
def writing() -> Iterator[None]:
    """Raise PlaceError where the disk, and not a clip, is at fault: then the run ends and loses nothing."""
    try:
        yield
    except (OSError, InputError) as error:
        if not _is_places(error):
            raise
        raise PlaceError(
            f"The set cannot be written ({error}): free some space and run the same command again, it goes "
            "on where it stopped."
        ) from error


def _is_places(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _PLACE:
            return True
        error = error.__cause__
    return False
