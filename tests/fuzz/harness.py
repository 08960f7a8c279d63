"""Runs strange inputs in a process of their own, one after another, and says how each ended.

The rules, for every input: it is accepted, or refused with one of the project's own errors whose message is
printable and that UTF-8 can encode; within `SECONDS`; within `BYTES` of memory more than before; with no file
written outside the folder of the run, no program started and no connection made.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
BORDERS = ("checkpoint", "published", "pictures", "sound", "video", "timeline", "replies")
SECONDS = 10.0  # of work: an input that takes longer hangs
BYTES = 1 << 30
_ASLEEP_SECONDS = 60.0  # the same without doing anything
_STARTING_SECONDS = 300.0

COUNT = int(os.environ.get("EADNET_FUZZ", "400"))
"""Inputs for every border in the long run; the quick suite takes the first `QUICK` of them, in no
process of its own."""
QUICK = 12


@dataclass
class Outcome:
    """How one input ended: accepted, refused or a fault, and what was said."""

    number: int
    kind: str
    said: str = ""
    seconds: float = 0.0
    growth: int = 0


@dataclass
class Report:
    """All outcomes of a border."""

    border: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [f"{self.border} {o.number}: {o.said}" for o in self.outcomes if o.kind == "fault"]

    def line(self) -> str:
        """One line of a table."""
        count = {
            kind: sum(o.kind == kind for o in self.outcomes) for kind in ("accepted", "refused", "fault")
        }
        slowest = max((o.seconds for o in self.outcomes), default=0.0)
        most = max((o.growth for o in self.outcomes), default=0) / 1e6
        return (
            f"{self.border:<12}{len(self.outcomes):>7}{count['accepted']:>10}{count['refused']:>9}"
            f"{count['fault']:>7}{slowest:>10.2f} s{most:>9.0f} MB"
        )


HEAD = f"{'border':<12}{'inputs':>7}{'accepted':>10}{'refused':>9}{'faults':>7}{'slowest':>12}{'memory':>12}"


# Controls, invisible signs, halves of pairs, breaks of lines; but not what scripts and emoji are joined with.
_UNSHOWN, _JOINERS = ("Cc", "Cf", "Cs", "Zl", "Zp"), "\u200c\u200d"
_LONGEST = 2000


def sentence_problem(message: str) -> str | None:
    """What is wrong with the words of an error; None where it can be shown to anybody."""
    try:
        message.encode("utf-8")
    except UnicodeEncodeError:
        return "UTF-8 cannot encode it"
    if any(unicodedata.category(letter) in _UNSHOWN and letter not in _JOINERS for letter in message):
        return "it is not printable"
    if "Traceback" in message or not 10 <= len(message) <= _LONGEST:
        return f"it is no sentence ({len(message)} characters)"
    return None


def run_border(
    border: str, count: int, folder: Path, on_fault: Callable[[Outcome], None] = lambda outcome: None
) -> Report:
    """Tries the inputs 0..count of a border.

    Args:
        folder: an empty one, in which the inputs are written.
        on_fault: gets every fault as soon as it is found.
    """
    report = Report(border)
    while len(report.outcomes) < count:
        for outcome in _in_a_process(border, len(report.outcomes), count, folder):
            report.outcomes.append(outcome)
            if outcome.kind == "fault":
                on_fault(outcome)
    return report


def _in_a_process(border: str, first: int, count: int, folder: Path) -> Iterator[Outcome]:
    """Outcomes as they come; a process that dies or hangs ends with the outcome of the input that did it."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.child",
        border,
        str(first),
        str(count),
        str(folder),
        str(BYTES),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
    log = folder.parent / f"{border}.log"
    with (
        open(log, "ab") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        watched = psutil.Process(process.pid)
        trying, begun, worked = -1, time.monotonic(), 0.0
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(process.stdout, selectors.EVENT_READ)
                rest = b""
                while True:
                    if not ready.select(1.0):
                        waited, busy = time.monotonic() - begun, _worked(watched) - worked
                        # On a machine that does other things, too, a second by the clock says little.
                        if trying >= 0 and (busy > SECONDS or waited > _ASLEEP_SECONDS):
                            yield Outcome(trying, "fault", f"no end after {busy:.0f} s of work", waited)
                            return
                        if waited > _STARTING_SECONDS:
                            raise RuntimeError(f"the process for {border} does not start: {_tail(log)}")
                        continue
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:
                        break
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        begun, worked = time.monotonic(), _worked(watched)
                        if "begin" in event:
                            trying = event["begin"]
                        else:
                            trying = -1
                            yield Outcome(**event)
            process.wait(_ASLEEP_SECONDS)
        finally:
            process.kill()
    if trying >= 0:
        yield Outcome(trying, "fault", f"the process died ({process.returncode}): {_tail(log)}")
    elif process.returncode:
        raise RuntimeError(f"the process for {border} ended with {process.returncode}: {_tail(log)}")


def _worked(process: psutil.Process) -> float:
    """Seconds of processor time that a process has used."""
    try:
        times = process.cpu_times()
    except psutil.Error:  # it has just ended
        return 0.0
    return times.user + times.system


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-600:]
