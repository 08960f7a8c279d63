"""What a sub-command is, and how it speaks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from ..printable import printable

_LONGEST = 1 << 24  # characters: a whole header, for programs


@dataclass(frozen=True)
class Command:
    """A sub-command: its name, one line of help, its arguments, and the function that runs it."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace], None]


def say(result: object) -> None:
    """Print a result. Names of files and words of their headers are shown, and move no terminal."""
    print(printable(result, _LONGEST, lines=True))
