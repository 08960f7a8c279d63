"""What a user should know about a source: plain sentences, kept for nodes to show and logged once."""

from __future__ import annotations

from ..printable import get_logger, printable

log = get_logger(__name__)


class Logged(str):
    """A note that is in the log already: who shows it need not log it again."""

    __slots__ = ()


def add_note(notes: list[str], sentence: str) -> None:
    """Add a sentence that is not there yet."""
    sentence = printable(sentence)
    if sentence not in notes:
        notes.append(Logged(sentence))
        log.warning("%s", sentence)
