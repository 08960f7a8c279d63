"""The two errors a user can cause. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used: a picture, a recording, a sentence or a setting."""


class CheckpointError(RuntimeError):
    """A weights file that is missing, truncated, foreign, or does not fit what was asked of it."""


def choose_from(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, where one is near, and all."""
    known = list(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    question = f"did you mean '{near[0]}'? Choose" if near else "choose"
    return f"{question} one of {', '.join(known)}."
