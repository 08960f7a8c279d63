"""TensorFlow Lite graphs, read as data: which operators there are, in order, and the numbers in them.

A graph is a FlatBuffer (schema: tensorflow/compiler/mlir/lite/schema/schema.fbs, whose numbers of fields and
operators stand below). Of its hundreds of tables a conversion needs five, so they are read here: no package,
and every offset is checked against the file before it is followed. Nothing of the graph is ever executed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

MAGIC = b"TFL3"  # at byte 4
OPERATORS = {
    **{0: "add", 2: "concatenation", 3: "conv", 4: "depthwise_conv", 6: "dequantize"},
    **{9: "fully_connected", 18: "mul", 54: "prelu"},
}
_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
}  # all that weights are stored in here
_Item = TypeVar("_Item")

_MOST = 20_000  # tables of a kind; the largest published graph of a face has 727 tensors


class MalformedGraph(ValueError):
    """The bytes are no TensorFlow Lite graph, are cut off or contradict themselves."""


@dataclass(frozen=True, eq=False)
class Operator:
    """One step of a graph.

    name: its kind, one of the values of `OPERATORS`; others are "other".
    weights: the stored numbers among its inputs, float32, in their order and in TensorFlow's order of axes.
    """

    name: str
    weights: tuple[np.ndarray, ...]


def read_operators(content: bytes) -> list[Operator]:
    """The operators with weights of a graph's only (first) part, in the order in which they run.

    Weights that are stored in half precision and widened by an operator of their own ("dequantize") belong
    to the operators that use them. Raises MalformedGraph.
    """
    if content[4:8] != MAGIC:
        raise MalformedGraph("it does not start as one")
    reader = _Reader(content)
    model = reader.table(0)
    codes = [_code(table) for table in model.tables(1)]
    parts, buffers = model.tables(2), model.tables(4)
    if not parts:
        raise MalformedGraph("it has no operators")
    tensors, operators = parts[0].tables(0), parts[0].tables(3)
    widened: dict[int, int] = {}
    found = []
    for table in operators:
        inputs, outputs = table.integers(1), table.integers(2)
        name = OPERATORS.get(_item(codes, table.number(0, "<I")), "other")
        if name == "dequantize" and len(inputs) == len(outputs) == 1:
            widened[outputs[0]] = inputs[0]
            continue
        sources = [widened.get(index, index) for index in inputs]
        stored = (_stored(_item(tensors, index), buffers) for index in sources if index >= 0)
        weights = tuple(array for array in stored if array is not None)
        if weights:
            found.append(Operator(name, weights))
    return found


def _code(table: _Table) -> int:
    """The operator's number: of two fields the larger, as the older one ends at 127."""
    return max(table.number(0, "<b"), table.number(3, "<i"))


def _stored(tensor: _Table, buffers: Sequence[_Table]) -> np.ndarray | None:
    """The numbers of a tensor as float32; None where it has none, or none with a fraction."""
    kind = _TYPES.get(tensor.number(1, "<b"))
    data = _item(buffers, tensor.number(2, "<I")).data(0)
    if kind is None or not data:
        return None
    shape = tensor.integers(0)
    if any(side < 0 for side in shape) or math.prod(shape) * kind.itemsize != len(data):
        raise MalformedGraph(f"a tensor of the shape {shape} is stored in {len(data)} bytes")
    values: np.ndarray = np.frombuffer(data, kind).reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise MalformedGraph("it contains numbers that are not finite")
    return values


def _item(items: Sequence[_Item], index: int) -> _Item:
    if not 0 <= index < len(items):
        raise MalformedGraph(f"number {index} of {len(items)} is asked for")
    return items[index]


class _Reader:
    """Reads numbers at places that are checked first."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)

    def number(self, place: int, kind: str) -> int:
        if not 0 <= place <= len(self._content) - struct.calcsize(kind):
            raise MalformedGraph(f"it ends before byte {place}")
        return int(struct.unpack_from(kind, self._content, place)[0])

    def vector(self, place: int, size: int) -> tuple[int, int]:
        """Where the elements of ``size`` bytes of a vector begin, and how many there are."""
        start = place + self.number(place, "<I")
        count = self.number(start, "<I")
        if count * size > len(self._content) - start - 4:
            raise MalformedGraph(f"a list at byte {start} is longer than the file")
        return start + 4, count

    def bytes_at(self, start: int, count: int) -> memoryview:
        return self._content[start : start + count]

    def table(self, place: int) -> _Table:
        return _Table(self, place + self.number(place, "<I"))


class _Table:
    """A FlatBuffer table: fields by number, each present or left out (0 or empty)."""

    def __init__(self, reader: _Reader, place: int) -> None:
        self._reader, self._place = reader, place
        self._fields = place - reader.number(place, "<i")
        self._size = reader.number(self._fields, "<H")

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry + 2 > self._size:
            return None
        offset = self._reader.number(self._fields + entry, "<H")
        return self._place + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        place = self._field(field)
        return 0 if place is None else self._reader.number(place, kind)

    def data(self, field: int) -> memoryview:
        """A vector of bytes."""
        place = self._field(field)
        return memoryview(b"") if place is None else self._reader.bytes_at(*self._reader.vector(place, 1))

    def integers(self, field: int) -> list[int]:
        """A short vector of 32 bit integers."""
        return [self._reader.number(place, "<i") for place in self._elements(field)]

    def tables(self, field: int) -> list[_Table]:
        return [self._reader.table(place) for place in self._elements(field)]

    def _elements(self, field: int) -> Iterator[int]:
        """The places of a vector's elements, each of four bytes."""
        place = self._field(field)
        if place is None:
            return
        start, count = self._reader.vector(place, 4)
        if count > _MOST:
            raise MalformedGraph(f"{count} parts are more than the {_MOST} that are read")
        yield from range(start, start + 4 * count, 4)
