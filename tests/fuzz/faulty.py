"""No border of the project: every fault there is, to see that the harness finds it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from eadnet.errors import InputError


class Subject:
    """Input i is fault i; the last two are none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = -1

    def make(self, random: Random) -> str:
        first = int(sys.argv[2])  # after a death the process begins with a later input
        return list(FAULTS)[first:][self._next()]

    def _next(self) -> int:
        self.count += 1
        return self.count

    def attempt(self, name: str) -> str:
        return FAULTS[name](self.folder) or ""


def _raises(error: BaseException) -> Callable[[Path], str | None]:
    def run(folder: Path) -> str | None:
        raise error

    return run


def _hangs(folder: Path) -> None:
    end = time.process_time() + 60
    while time.process_time() < end:
        pass


def _program(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def _logs(folder: Path) -> None:
    logging.getLogger("eadnet.faulty").warning("said '%s'", "\x1b[31m")


def _says(text: str) -> InputError:
    """An error of ours that says this, as if its class had not made the text printable."""
    error = InputError("")
    error.args = (text,)
    return error


FAULTS: dict[str, Callable[[Path], str | None]] = {
    "AttributeError": _raises(AttributeError("no such thing")),
    "UTF-8 cannot encode it": _raises(_says("The word '\ud800' is not known: use another.")),
    "it is not printable": _raises(_says("The word '\x00' is not known: use another.")),
    "it is no sentence": _raises(InputError("oops")),
    "the result": lambda folder: "a caption with half an emoji \ud83d",
    "the log line": _logs,
    "GB": lambda folder: str(np.ones(3 << 27).sum()),
    "MemoryError": lambda folder: str(np.ones(10**12).sum()),
    "it did open": lambda folder: str((folder.parent / "elsewhere").write_text("x")),
    "it did subprocess.Popen": _program,
    "the process died": lambda folder: os._exit(3),
    "no end after": _hangs,
    "": lambda folder: "all is well",
    "refused": _raises(InputError("The word 'x' is not known: use another.")),
}
