"""What is done already, on disk: every file appears whole, so that a run may end at any moment and go on.

work/SOURCE/plan.json     the segments of a source
work/SOURCE/NNNNNNNN.cuts the cuts in ten minutes of a long one, until it has a plan
work/SOURCE/speech.f32    its sound, 16 kHz mono
work/SOURCE/NNNNN.json    what was decided of a segment: a row of the manifest, and seconds by stage
work/SOURCE/NNNNN.tar     its sample, where it was accepted; written before the row
work/SOURCE/*.tries       how often something was begun, where Ray does the work
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..media.speech import SpeechFile
from .clip import Rejection, Source
from .cutting import Part
from .shards import write_text

WORK = "work"


@dataclass(frozen=True)
class Plan:
    """How a source is parted: of each segment where it is, and why it is rejected already, if it is; or why
    the whole source is.
    """

    segments: tuple[tuple[Part, Rejection | None], ...] = ()
    samples: int = 0
    rejection: Rejection | None = None

    def open_numbers(self) -> list[int]:
        """The segments that are still to be looked at, by their number."""
        return [number for number, (_, rejection) in enumerate(self.segments) if rejection is None]


@dataclass(frozen=True)
class Workplace:
    """The folder of a set that is being made."""

    directory: Path

    def folder(self, source: Source) -> Path:
        return self.directory / WORK / source.id

    def speech(self, source: Source, samples: int) -> SpeechFile:
        return SpeechFile(self.folder(source) / "speech.f32", samples, samples / 16000)

    def part(self, source: Source, number: int) -> Path:
        """Where the sample of a segment lies until it is in a shard."""
        return self.folder(source) / f"{number:05}.tar"

    def read_plan(self, source: Source) -> Plan | None:
        """None where there is none, or the file has changed since it was made."""
        told = _read(self.folder(source) / "plan.json")
        if told is None or told["stamp"] != stamp(source):
            return None
        return Plan(
            tuple(((a, b), _rejection(why)) for a, b, why in told["segments"]),
            told["samples"],
            _rejection(told["rejection"]),
        )

    def write_plan(self, source: Source, plan: Plan, seconds: dict[str, float]) -> None:
        """Rows of an earlier plan are deleted before."""
        folder = self.folder(source)
        folder.mkdir(parents=True, exist_ok=True)
        for old in [*folder.glob("?????.json"), *folder.glob("?????.tar")]:
            old.unlink()
        told = {
            "stamp": stamp(source),
            "segments": [[*part, _told(why)] for part, why in plan.segments],
            "samples": plan.samples,
            "rejection": _told(plan.rejection),
            "seconds": seconds,
        }
        write_text(folder / "plan.json", json.dumps(told))

    def read_cuts(self, source: Source, block: Part) -> list[int] | None:
        """Where shots begin in a block; None where that is not known of this file."""
        told = _read(self._cuts(source, block))
        return told["cuts"] if told is not None and told["stamp"] == stamp(source) else None

    def write_cuts(self, source: Source, block: Part, cuts: list[int]) -> None:
        write_text(self._cuts(source, block), json.dumps({"stamp": stamp(source), "cuts": cuts}))

    def _cuts(self, source: Source, block: Part) -> Path:
        return self.folder(source) / f"{block[0]:08}.cuts"

    def read_row(self, source: Source, number: int) -> dict[str, Any] | None:
        """What was decided of a segment: {"row": ..., "seconds": ...}."""
        return _read(self.folder(source) / f"{number:05}.json")

    def write_row(self, source: Source, number: int, row: dict[str, Any], seconds: dict[str, float]) -> None:
        path = self.folder(source) / f"{number:05}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"row": row, "seconds": seconds}))

    def plan_seconds(self, source: Source) -> dict[str, float]:
        return (_read(self.folder(source) / "plan.json") or {}).get("seconds", {})


def stamp(source: Source) -> list[Any]:
    """Changes when the files of a source do, or what the layout says of it."""
    marks: list[Any] = [list(span) for span in source.spans]
    for path in (source.path, source.sound):
        try:
            state = path.stat() if path else None
        except OSError:
            state = None
        marks.append([state.st_size, state.st_mtime_ns] if state else None)
    return marks


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # ValueError: the machine went down before the disk had it
        return None


def _told(rejection: Rejection | None) -> list[Any] | None:
    return None if rejection is None else [rejection.stage, rejection.reason, rejection.facts]


def _rejection(told: list[Any] | None) -> Rejection | None:
    return None if told is None else Rejection(*told)
