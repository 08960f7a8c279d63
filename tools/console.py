"""What a person sees: lines, and one line that is redrawn while something takes long."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO


def say(text: str) -> None:
    """Prints one line now, also when the output is redirected."""
    print(text, flush=True)


def clock(seconds: float) -> str:
    """`75.2` as `1:15`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def bar(value: float, maximum: float, width: int = 20) -> str:
    """A bar in plain ASCII, since a Windows console may show nothing else."""
    filled = round(width * min(max(value / maximum, 0.0), 1.0)) if maximum > 0 else 0
    return "[" + "#" * filled + "-" * (width - filled) + "]"


class StatusLine:
    """One line with a running clock, redrawn in a terminal; in a log file, a line every `interval` seconds.

    Used as `with StatusLine() as status: status.show("...")`; it is gone after the block.
    """

    def __init__(self, stream: TextIO | None = None, interval: float = 15.0) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._period = 1.0 if self._live else interval
        self._start = time.monotonic()
        self._text = ""
        self._width = 0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> StatusLine:
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._ticker.join()
        if self._live and self._width:
            self._write("\r" + " " * self._width + "\r")

    def show(self, text: str) -> None:
        """Replaces the line: at once in a terminal, with the next tick in a log file."""
        with self._lock:
            self._text = text
        if self._live:
            self._draw()

    def _tick(self) -> None:
        while not self._done.wait(self._period):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            if not self._text:
                return
            line = f"{clock(time.monotonic() - self._start)}  {self._text}"
            if not self._live:
                self._write(line + "\n")
                return
            line = line[: max(20, shutil.get_terminal_size().columns - 1)]
            self._write("\r" + line.ljust(self._width))
            self._width = len(line)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
