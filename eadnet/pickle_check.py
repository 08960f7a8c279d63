"""Pickles judged by their operations, none of which is done: before torch reads a weights file.

torch's ``weights_only`` runs no code. But it makes whatever plain containers a file describes, and a few
bytes can describe what costs minutes, or the whole process: tuples nested a hundred thousand deep are a key
of a dictionary whose hash overflows the C stack, and thirty tuples that each hold the last one twice are a
billion entries to hash.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import IO, Any

from .errors import CheckpointError

_MOST_OPERATIONS = 2_000_000  # of a pickle; thousands of tensors need a tenth
_DEEPEST = 100  # tuples in tuples; weights need four
# Modules whose functions make other things than tensors, as large as they are told to.
_MAKERS = {"builtins", "__builtin__", "_codecs", "bytearray"}
# Operations whose argument is a number of the content; others' are places in the memo.
_NUMBERS = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4"}
MORE_THAN_WEIGHTS = "holds more than weights (objects or code, which are never run): choose another file."


def check_pickle(path: Path, file: IO[bytes], size: int) -> bool:
    """Judge the pickle that begins here in a file of ``size`` bytes: the numbers that it states must be in
    the file, nothing may be made but tensors, and nothing that takes longer than weights do. Whether it is
    whole.
    """
    stated, last, names, recent = 0, 0, set[Any](), list[str]()
    made = _Made()
    try:
        for operation, argument, _ in pickletools.genops(file):
            if isinstance(argument, str):
                if not _MAKERS.isdisjoint(argument.split()):  # a bytearray of any size, for instance
                    raise CheckpointError(f"{path.name} {MORE_THAN_WEIGHTS}")
                recent = [*recent[-2:], argument]
            elif isinstance(argument, int) and operation.name in _NUMBERS:
                last = max(0, argument)
            elif operation.name == "BINPERSID":  # a storage: its kind, name, device, and at last its length
                stated += 0 if tuple(recent) in names else last
                names.add(tuple(recent))
            if stated > size:
                raise CheckpointError(
                    f"{path.name} is truncated: it states more numbers than its {size} bytes hold. "
                    "Download it again."
                )
            made.follow(operation, argument)
            if made.written_out > _MOST_OPERATIONS or made.deepest > _DEEPEST:
                raise CheckpointError(f"{path.name} describes more than any model has: choose another file.")
    except CheckpointError:
        raise
    except Exception:  # no pickle, or an operation that torch refuses, too: it says what is wrong
        return False
    return True


class _Value:
    """How many things a container holds, each written out as often as it stands there, and how deep tuples
    lie in it. Of all else: one.
    """

    __slots__ = ("depth", "size")

    def __init__(self, size: int = 1, depth: int = 0) -> None:
        self.size, self.depth = size, depth


class _Made:
    """The stack of a pickle machine, with sizes in place of values."""

    def __init__(self) -> None:
        self.written_out = 0
        self.deepest = 0
        self._stack: list[_Value] = []
        self._below: list[list[_Value]] = []
        self._memo: dict[int, _Value] = {}

    def follow(self, operation: Any, argument: Any) -> None:
        """Do to the sizes what the operation does to the values. Raises some error for one that torch's own
        machine does not know, or that finds nothing on the stack.
        """
        self.written_out += 1
        stack = self._stack
        match operation.name:
            case "MARK":
                self._below.append(stack)
                self._stack = []
            case "TUPLE":
                self._tuple(self._since_mark())
            case "EMPTY_TUPLE":
                self._tuple([])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self._tuple([stack.pop() for _ in range(int(operation.name[-1]))])
            case "REDUCE" | "NEWOBJ":  # a function or class, and what it is called with
                stack[-2:] = [stack[-1]]
            case "BINPERSID":
                stack[-1] = _Value()
            case "BUILD":
                stack.pop()
            case "APPEND":
                self._fill([stack.pop()])
            case "SETITEM":
                self._fill([stack.pop(), stack.pop()])
            case "APPENDS" | "SETITEMS":
                self._fill(self._since_mark())
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                value = self._memo[argument]
                self.written_out += value.size
                stack.append(value)
            case "STOP":
                stack.pop()
            case "PROTO" | "FRAME":
                pass
            case _:
                if operation.stack_before or len(operation.stack_after) != 1:
                    raise ValueError(operation.name)
                stack.append(_Value())

    def _since_mark(self) -> list[_Value]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _fill(self, items: list[_Value]) -> None:
        self._stack[-1].size += sum(item.size for item in items)

    def _tuple(self, items: list[_Value]) -> None:
        depth = 1 + max((item.depth for item in items), default=0)
        self.deepest = max(self.deepest, depth)
        self._stack.append(_Value(1 + sum(item.size for item in items), depth))
