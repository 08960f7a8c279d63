"""The two errors a user can cause. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from .printable import printable


class UserError(Exception):
    """What both are. Whatever a message quotes, it is one printable line (see `printable`).

    They name a module of their own, as ComfyUI shows the class with it: a pack's real one is its whole path.
    """

    __module__ = "eadnet"

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(message))


class InputError(UserError, ValueError):
    """Input that cannot be used: a picture, a recording, a sentence or a setting."""

    __module__ = "eadnet"


class CheckpointError(UserError, RuntimeError):
    """A weights file that is missing, truncated, foreign, or does not fit its use."""

    __module__ = "eadnet"


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of the known names (at least one) that looks most like this one."""
    from difflib import get_close_matches  # here, as few runs need it

    return get_close_matches(name.lower(), list(known), n=1, cutoff=0.0)[0]


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is none of the known ones: which is nearest, and which there are."""
    names, name = list(known), printable(name, 80)
    return (
        f"There is no {what} '{name}': did you mean {nearest(name, names)}? Choose one of {', '.join(names)}."
    )
