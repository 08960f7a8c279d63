"""What becomes of one strange input: used, refused in a sentence, or a fault."""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fuzz.harness import sentence_problem


class Log(logging.Handler):
    """Keeps what the library logs during an input."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def problem(self) -> str | None:
        """The first line that cannot be shown, in words."""
        unshown = ("UTF-8 cannot encode it", "it is not printable")
        bad = next((line for line in self.lines if sentence_problem(line) in unshown), None)
        return None if bad is None else f"the log line {bad[:300]!a}"


@contextmanager
def watched_log() -> Iterator[Log]:
    """Everything the library logs meanwhile, and nothing of it on the screen."""
    log, logger = Log(), logging.getLogger("eadnet")
    before = logger.level, logger.propagate
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield log
    finally:
        logger.removeHandler(log)
        logger.level, logger.propagate = before


def judged(subject: Any, given: Any) -> tuple[str, str]:
    """Gives an input to the border: (accepted, refused or fault; what was said)."""
    errors = importlib.import_module("eadnet.errors")
    try:
        shown = subject.attempt(given)
    except (errors.InputError, errors.CheckpointError) as error:
        said = str(error)
        if problem := sentence_problem(said):
            return "fault", f"the message {said[:400]!a}: {problem}"
        return "refused", said
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "fault", f"{type(error).__name__}: {str(error)[:200]!a} in {where.filename}:{where.lineno}"
    # A result may be long and have lines; but it goes to a browser as UTF-8.
    if shown and (problem := sentence_problem(shown)) == "UTF-8 cannot encode it":
        return "fault", f"the result {shown[:200]!a}: {problem}"
    return "accepted", ""
