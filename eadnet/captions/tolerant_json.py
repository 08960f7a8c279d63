"""JSON objects out of what a language model wrote around and instead of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = str.maketrans("“”„‘’：，", '"""\'\':,')


def objects(text: str) -> Iterator[str]:
    """Pieces of a text that look like JSON objects: balanced ones, then an unfinished one."""
    start = text.find("{")
    while start >= 0:
        end = _closing(text, start)
        if end is None:
            yield text[start:]
            return
        yield text[start : end + 1]
        start = text.find("{", end + 1)


def _closing(text: str, start: int) -> int | None:
    """Where the brace at ``start`` is closed, outside strings; None when it is not."""
    depth, quoted, escaped = 0, False, False
    for i in range(start, len(text)):
        letter = text[i]
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter in "{[":
            depth += 1
        elif not quoted and letter in "}]":
            depth -= 1
            if depth == 0:
                return i
    return None


def loaded(candidate: str, notes: list[str]) -> Mapping[str, Any] | None:
    """A JSON object, repaired where needed; None when it is beyond repair."""
    reader = _TolerantReader(candidate.translate(_PLAIN))
    try:
        fields = reader.value()
    except _NoJson:
        return None
    try:
        return json.loads(candidate, parse_int=_whole)
    except ValueError:
        notes.append("the JSON was broken and was repaired")
    return fields if isinstance(fields, Mapping) else None


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= 18 else float(digits)


class _NoJson(Exception):
    pass


_UNFINISHED = object()
_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))+")
_STRING = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)("?)', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)('?)", re.DOTALL),
}
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_BARE = re.compile(r"[^\s,:{}\[\]\"'][^,:{}\[\]\"\n]*")
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_DEEPEST = 32


class _TolerantReader:
    """Reads a value of JSON as people and models write it: comments, single quotes or none, Python's words,
    commas too many or too few, an end too early. Each letter is looked at once.
    """

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def value(self, depth: int = 0) -> Any:
        """The value that begins here; `_UNFINISHED` where the text ends before it does."""
        if depth > _DEEPEST:
            raise _NoJson
        letter = self._next()
        if letter == "{":
            return self._object(depth)
        if letter == "[":
            return self._list(depth)
        if letter in ('"', "'"):
            return self._string(letter)
        match = _BARE.match(self.text, self.at)
        if match is None:
            if not letter:
                return _UNFINISHED
            raise _NoJson
        self.at = match.end()
        word = match[0].strip()
        try:
            return float(word) if not word.lstrip("-").isdecimal() else _whole(word)
        except ValueError:
            return _CONSTANTS.get(word.lower(), word)

    def _next(self) -> str:
        """The letter at the next place that is no space or comment; empty at the end."""
        match = _SPACE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.text[self.at : self.at + 1]

    def _after_commas(self) -> str:
        while (letter := self._next()) == ",":
            self.at += 1
        return letter

    def _object(self, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        self.at += 1
        while (letter := self._after_commas()) not in ("}", ""):
            key = self._key(letter)
            if key is _UNFINISHED or not (letter := self._next()):
                break
            if letter != ":":
                raise _NoJson
            self.at += 1
            value = self.value(depth + 1)
            if value is _UNFINISHED:
                break
            fields[str(key)] = value
        self.at += 1
        return fields

    def _list(self, depth: int) -> list[Any]:
        values: list[Any] = []
        self.at += 1
        while self._after_commas() not in ("]", ""):
            value = self.value(depth + 1)
            if value is _UNFINISHED:
                break
            values.append(value)
        self.at += 1
        return values

    def _key(self, letter: str) -> Any:
        if letter in ('"', "'"):
            return self._string(letter)
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise _NoJson
        self.at = match.end()
        return match[0]

    def _string(self, quote: str) -> Any:
        match = _STRING[quote].match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        if not match[2]:
            return _UNFINISHED
        try:
            return json.loads(f'"{match[1]}"', strict=False)
        except ValueError:  # its escapes are none of JSON's
            return match[1]
