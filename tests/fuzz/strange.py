"""Strange values, drawn from a seed: numbers, texts, JSON, and bytes with something changed in them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 16, 255, 256, 65535, 65536, -5, -(2**31), 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63),
    *(2**64, 10**9, 10**15, -(10**9), 10**400, -(10**400), 0.0, -0.0, 0.5, 1.5, -0.1, 1e-9, 1e-300, 5e-324),
    *(1e9, 1e38, 1e300, -1e300, math.nan, math.inf, -math.inf),
)
"""Ends of types, values just outside what is usual, and what is no number."""

TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\n",
    "\x00",
    "\x1b[31mred\x1b[0m",
    "a\r\nSet-Cookie: b",
    "\ud800",
    "\udfff\ud800",
    "face \ud83d",
    "\ufeffx",
    "\u202egnirts\u202c",
    "\u2028\u2029",
    "e\u0301" * 40,
    "\U0001f62d" * 50,
    "ﷺ" * 30,
    "٣٤٥",
    "²³",
    "½",
    "x" * 300,
    "x" * 100_000,
    "word " * 4000,
    "9" * 400,
    "-" + "9" * 5000,
    "1e999",
    "0x10",
    "1_000",
    "nan",
    "-inf",
    "%s%n%x",
    "{0.__class__}",
    "${HOME}",
    "$(touch owned)",
    "`touch owned`",
    "'; DROP TABLE x; --",
    "<script>alert(1)</script>",
    "../../../owned",
    "/etc/passwd",
    "\\\\server\\share",
    "C:\\owned",
    "con",
    "file:///etc/passwd",
    "%date:yyyy%/%year%",
    "[" * 5000,
    "{" * 5000,
    '{"a":' * 3000,
    "((((((((((" * 200,
    "\\" * 1001,
    "`" * 1000,
    "//" * 5000,
    "/*" * 5000,
    "<think>" * 2000,
    "\t" * 20_000,
    " ," * 10_000,
    "a:b:c:d",
    "0.0 calm",
)
"""Texts that have broken parsers, terminals, file systems and encoders."""


def number(random: Random) -> Any:
    """A number that nobody expects, or an ordinary one."""
    if random.random() < 0.7:
        return random.choice(NUMBERS)
    return random.choice((random.randint(-100, 1000), random.uniform(-10, 100), 10 ** random.randint(0, 400)))


def text(random: Random) -> str:
    """A text that nobody expects: one of the known ones, several joined, or any code points."""
    kind = random.random()
    if kind < 0.6:
        return random.choice(TEXTS)
    if kind < 0.8:
        return "".join(random.choice(TEXTS)[:200] for _ in range(random.randint(2, 5)))
    ends = ((0, 0x20), (0x20, 0x7F), (0x80, 0x250), (0xD800, 0xE000), (0x1F300, 0x1F700), (0xE0000, 0xE0100))
    return "".join(chr(random.randrange(*random.choice(ends))) for _ in range(random.randint(1, 40)))


def value(random: Random, depth: int = 2) -> Any:
    """Anything that JSON can hold, and the integers that Python reads from it."""
    kind = random.random()
    if kind < 0.45:
        return number(random)
    if kind < 0.75:
        return text(random)[:2000]
    if kind < 0.9 or depth == 0:
        return random.choice((None, True, False, [], {}, [[]], {"": None}))
    if kind < 0.95:
        return [value(random, depth - 1) for _ in range(random.randint(0, 4))]
    return {text(random)[:20]: value(random, depth - 1) for _ in range(random.randint(0, 3))}


def changed(tree: Any, random: Random, strange: Callable[[Random], Any] = value) -> Any:
    """A copy of nested lists and mappings in which one to three things are replaced, left out or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = _places(tree)
        if not places:
            return strange(random)
        parent, key = random.choice(places)
        kind = random.random()
        if kind < 0.15:
            del parent[key]
        elif kind < 0.25 and isinstance(parent, dict):
            parent[text(random)[:50]] = copy.deepcopy(parent[key])
        elif kind < 0.25:
            parent.extend(copy.deepcopy(parent[key]) for _ in range(random.choice((1, 3, 200))))
        else:
            parent[key] = strange(random)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """(parent, key) of everything in a tree."""
    keys: Sequence[Any] = (
        list(tree) if isinstance(tree, dict) else range(len(tree) if isinstance(tree, list) else 0)
    )
    found = [(tree, key) for key in keys]
    return found + [place for key in keys for place in _places(tree[key])]


_SIZES = (1, 2, 4, 8)


def damaged(data: bytes, random: Random, start: int = 0, stop: int | None = None) -> bytes:
    """Bytes with one to four things changed between ``start`` and ``stop``: bits, numbers, holes, repeats."""
    stop = len(data) if stop is None else min(stop, len(data))
    changes = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(start, max(start + 1, min(stop, len(changes))))
        kind, span = random.randrange(8), random.choice((1, 4, 16, 100, 1000))
        if kind == 0:
            changes[at : at + 1] = bytes(
                (changes[at] ^ (1 << random.randrange(8)) if at < len(changes) else 0,)
            )
        elif kind == 1:
            changes[at : at + 1] = bytes((random.choice((0, 1, 127, 128, 254, 255)),))
        elif kind in (2, 3):  # a whole number: a size, a rate, an offset
            size = random.choice(_SIZES)
            number = random.choice(
                (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 1 << 8 * size - 1, (1 << 8 * size) - 1, 1 << 4 * size)
            )
            order: Any = random.choice(("little", "big"))
            changes[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, order)
        elif kind == 4:
            del changes[at : at + span]
        elif kind == 5:
            changes[at:at] = changes[at : at + span]
        elif kind == 6:
            changes[at : at + span] = bytes(random.getrandbits(8) for _ in range(span))
        elif random.random() < 0.3:
            del changes[at:]
    return bytes(changes)
