"""Text from elsewhere (files, widgets, servers, others' errors) made fit for messages, logs and reports.

Half of a surrogate pair cannot be written as UTF-8: one in a log line ends the thread that logs it. Escape
sequences colour and move a terminal, bidirectional overrides show other words than there are, a line break in
a log makes a line of its own that looks like any other. Every error of ours, and every line of our log, goes
through `printable`; nobody who writes a message has to think of it.
"""

from __future__ import annotations

import logging
import re
import unicodedata

LONGEST = 2000
"""Characters of a message; of a longer one the beginning and the end are kept, where its advice is."""

_JOINERS = "\u200c\u200d"  # which scripts and emoji are written with
_HIDDEN = ("Cc", "Cf", "Cs")  # controls, invisible signs, halves of surrogate pairs
_BREAK = re.compile(r"\s*[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


def _shown(letter: str) -> str:
    if letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) not in _HIDDEN:
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def is_printable(text: str) -> bool:
    """Whether `printable` leaves a line as it is."""
    return text.isprintable() or (
        all(_shown(letter) == letter for letter in text) and not _BREAK.search(text)
    )


def printable(text: object, longest: int = LONGEST, lines: bool = False) -> str:
    """The text without what cannot be shown: such characters as their escapes, ``\\ud800`` for instance.

    Line breaks and tabs become spaces unless ``lines`` are kept. What exceeds ``longest`` is cut out of the
    middle.
    """
    try:
        text = str(text)
    except Exception as error:  # other people's classes
        text = f"({type(error).__name__} in the text of a {type(text).__name__})"
    if len(text) > longest:
        end = (longest - 3) // 3
        text = f"{text[: longest - 3 - end]} … {text[len(text) - end :]}"
    if text.isprintable():
        return text
    if lines:
        return "\n".join("".join(map(_shown, line.expandtabs(4))) for line in text.splitlines())
    return "".join(map(_shown, _BREAK.sub(" ", text).strip()))


def make_printable(error: BaseException) -> BaseException:
    """The error with a printable text, and all that it came from likewise: they are logged together.

    Texts are put right in place. An error whose class makes its text in another way is stood in for by a
    plain one that says the same.
    """
    return _mended(error, {})


def _mended(error: BaseException, known: dict[int, BaseException]) -> BaseException:
    if id(error) in known:
        return known[id(error)]
    known[id(error)] = error
    _mend_text(error)
    if not _fit(error):
        stand_in = RuntimeError(printable(f"{type(error).__name__}: {printable(error)}"))
        stand_in.__traceback__ = error.__traceback__
        stand_in.__cause__, stand_in.__context__ = error.__cause__, error.__context__
        stand_in.__suppress_context__ = error.__suppress_context__
        known[id(error)] = error = stand_in
    hidden = error.__suppress_context__
    if error.__cause__ is not None:
        error.__cause__ = _mended(error.__cause__, known)
    if error.__context__ is not None:
        error.__context__ = _mended(error.__context__, known)
    error.__suppress_context__ = hidden
    return error


def _mend_text(error: BaseException) -> None:
    error.args = tuple(printable(part, lines=True) if isinstance(part, str) else part for part in error.args)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes[:] = [printable(note, lines=True) for note in notes]


def _fit(error: BaseException) -> bool:
    """Whether its text can be had, written, and read without surprises."""
    try:
        return all(is_printable(line) for line in str(error).splitlines())
    except Exception:
        return False


class _Printable(logging.Filter):
    """Makes the lines of a log printable."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), ()
        if record.exc_info and record.exc_info[1] is not None:
            kind, error, trace = record.exc_info
            error = make_printable(error)
            record.exc_info = (type(error), error, trace)
        return True


_FILTER = _Printable()


def get_logger(name: str) -> logging.Logger:
    """`logging.getLogger` for this package's modules: their lines are printable whatever they are about."""
    logger = logging.getLogger(name)
    logger.addFilter(_FILTER)
    return logger
