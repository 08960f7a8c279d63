"""What enters a message or a log can be written, is one line, and shows what it is."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eadnet.errors import CheckpointError, InputError, no_such
from eadnet.printable import get_logger, is_printable, make_printable, printable

NASTY = "\ud800\udc80\x00\x1b\x85\x9b\u061c\u200e\u202e\u2028\u2066\ufeff\U000e0041\n\r\t a…é👍"
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from(NASTY),
    max_size=30,
)


def line(text: str) -> None:
    """Fails unless this can stand in one line of a log."""
    text.encode("utf-8")
    assert len(text.splitlines()) <= 1 and not set(text) & set("\x1b\x9b\x00\u202e\u2066\u200e\u061c\ufeff")


@given(ANY_TEXT, st.sampled_from([InputError, CheckpointError]))
def test_whatever_a_message_quotes_it_is_one_line_that_can_be_written(
    text: str, kind: type[Exception]
) -> None:
    line(str(kind(f"The name '{text}' is not known.")))
    line(no_such("emotion", text, ["happy", "sad"]))


@given(ANY_TEXT)
def test_whatever_a_log_line_is_about_it_is_one_line_that_can_be_written(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "here", 1, "%s is skipped: %s", (text, text), None)
    assert all(each.filter(record) for each in get_logger("eadnet.test").filters)  # type: ignore[union-attr]
    line(record.getMessage())


@given(ANY_TEXT)
def test_making_it_printable_again_changes_nothing(text: str) -> None:
    once = printable(text)
    assert printable(once) == once and is_printable(once)


@pytest.mark.parametrize("text", ["wütend, 愤怒 😡", "👩‍👧 नमस्ते می‌خواهم", "a b", "C:\\new\\ufo"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\ud800", "\\ud800"),
        ("clip\udcff.mp4", "clip\\udcff.mp4"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("exe.\u202egpj", "exe.\\u202egpj"),
        ("one\r\n  two\u2028three", "one two three"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_the_rest_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_reports_keep_their_lines() -> None:
    assert printable("one\ntwo\x1b\n", lines=True) == "one\ntwo\\x1b"


def test_a_long_message_keeps_its_beginning_and_its_advice() -> None:
    message = str(InputError(f"The name '{'x' * 10**6}' is too long: shorten it."))
    assert len(message) <= 2000 and message.startswith("The name 'xxx") and message.endswith(": shorten it.")


class _Stubborn(Exception):
    """Others' errors may make their text as they like."""

    def __str__(self) -> str:
        return "caf\ud800\x1b"


class _Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def _raise(make: Callable[[], Exception]) -> BaseException:
    try:
        try:
            raise make()
        except Exception as error:
            raise InputError("It cannot be read: choose another.") from error
    except InputError as error:
        return error


@pytest.mark.parametrize(
    "make", [lambda: ValueError("\ud800"), lambda: OSError(2, "\ud800", "\udcff"), _Stubborn, _Broken]
)
def test_what_an_error_came_from_can_be_logged_with_it(make: Callable[[], Exception]) -> None:
    mended = make_printable(_raise(make))
    text = "".join(traceback.format_exception(mended))
    text.encode("utf-8")
    assert isinstance(mended, InputError) and "\x1b" not in text and "direct cause" in text
    "".join(traceback.format_exception(make_printable(make()))).encode("utf-8")


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("\ud800"), ValueError("\ud801")
    first.__context__, second.__context__ = second, first
    make_printable(first)
    assert str(second) == "\\ud801"


def test_what_was_hidden_stays_hidden() -> None:
    try:
        try:
            raise ValueError("secret")
        except ValueError:
            raise InputError("no") from None
    except InputError as error:
        assert "secret" not in "".join(traceback.format_exception(make_printable(error)))
