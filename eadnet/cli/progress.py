"""Progress on a terminal or in a log file."""

from __future__ import annotations

import math
from typing import TextIO


class ProgressLine:
    """One line on a terminal that is written over; on anything else a line for each tenth of a stage."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.last = ""

    def __call__(self, stage: str, done: int, total: int, seconds_left: float | None = None) -> None:
        share = done / max(total, 1)
        text = f"{stage} {done}/{total}"
        if seconds_left is not None and done < total:
            minutes, seconds = divmod(round(seconds_left), 60)
            text += f", {minutes}:{seconds:02} left"
        if self.terminal:
            self.stream.write(f"\r{text} {math.floor(share * 100)} %\x1b[K")
            if done == total:
                self.stream.write("\n")
        elif (mark := f"{stage} {math.floor(share * 10)}") != self.last:
            self.last = mark
            self.stream.write(f"{text}\n")
        self.stream.flush()
