"""Files of weights from elsewhere: what a safetensors header states is judged before any tensor is made."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import CheckpointError
from .paths import is_file

_LARGEST_HEADER = 16 << 20  # bytes; that of a model of thousands of tensors has less than one million
_MOST_TENSORS = 100_000
_LONGEST_NAME = 256
_MOST_AXES = 8
_FLOATS = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
_WHOLE = {"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}


@dataclass(frozen=True)
class Stored:
    """A tensor as the header of a file describes it."""

    shape: tuple[int, ...]
    kind: str

    def is_floating_point(self) -> bool:
        return self.kind in _FLOATS


class WeightsFile:
    """An open safetensors file: ``stored`` describes its tensors, `tensor` reads one."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self._file = path, file
        self.metadata: dict[str, str] = file.metadata() or {}
        keys = list(file.keys())
        if len(keys) > _MOST_TENSORS:
            raise CheckpointError(
                f"{path.name} states {len(keys)} tensors, more than any model has: choose another file."
            )
        self.stored = {key: self._described(key) for key in keys}

    def _described(self, key: str) -> Stored:
        piece = self._file.get_slice(key)
        shape, kind = tuple(piece.get_shape()), str(piece.get_dtype())
        if len(key) > _LONGEST_NAME:
            why = f"a name of {len(key)} characters"
        elif len(shape) > _MOST_AXES:
            why = f"{len(shape)} axes"
        elif kind not in _FLOATS | _WHOLE:
            why = f"the type {kind}"
        else:
            return Stored(shape, kind)
        raise CheckpointError(
            f"{self.path.name} has a tensor with {why} ('{key[:40]}'), which no model has: choose another "
            "file."
        )

    def tensor(self, key: str, dtype: torch.dtype | None = None) -> Tensor:
        """One tensor on the CPU, floating-point ones in ``dtype`` (None: their own).

        Raises CheckpointError unless all its numbers are finite in that type.
        """
        value = self._file.get_tensor(key)
        return finite(value, f"{key} in {self.path.name}", dtype)

    def raw(self, key: str) -> Tensor:
        """One tensor on the CPU as it is, mapped from the file; its numbers may be anything."""
        return self._file.get_tensor(key)

    def tensors(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """All of them."""
        return {key: self.tensor(key, dtype) for key in self.stored}


@contextmanager
def open_weights(path: str | os.PathLike[str]) -> Iterator[WeightsFile]:
    """Open a safetensors file; CheckpointError for a missing, truncated, foreign or absurd one."""
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(f"There is no file {path}: check the name, or put the checkpoint there.")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if _LARGEST_HEADER < length <= path.stat().st_size:
            raise CheckpointError(
                f"The header of {path.name} has {length} bytes, more than any model's: choose another file."
            )
        opened = safe_open(path, framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(_unreadable(path, error)) from error
    with opened as file:
        yield WeightsFile(path, file)


def _unreadable(path: Path, error: Exception) -> str:
    """Tell a half-downloaded file from one that never was safetensors."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
        size = path.stat().st_size
    except OSError:
        return f"{path.name} cannot be read ({error}): check who may read it."
    header = int.from_bytes(start[:8], "little") if len(start) >= 8 else 0
    if len(start) == 9 and start[8:] in (b"{", b"[") and header < 100_000_000:
        return f"{path.name} is truncated or damaged ({size} bytes): download or copy it again."
    if start[:2] in (b"PK", b"\x80\x02"):
        return f"{path.name} is a PyTorch file: convert it first with 'eadnet convert {path.name}'."
    return f"{path.name} is not a safetensors file ({size} bytes): download it again or choose another."


def finite(value: Tensor, what: str, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor in ``dtype``, where it is floating-point; CheckpointError unless all its numbers are finite.

    ``what`` names the tensor and its file.
    """
    if not value.is_floating_point():
        return value
    if value.is_meta:
        return value if dtype is None else value.to(dtype)
    moved = value if dtype is None else value.to(dtype)
    seen = moved.detach() if moved.element_size() > 1 else moved.detach().float()
    # A sum shows NaN and infinity without memory for a mask; large numbers can overflow it: no proof.
    if math.isfinite(float(seen.sum(dtype=torch.float32))) or bool(torch.isfinite(seen).all()):
        return moved
    if dtype is not None and bool(torch.isfinite(value.double()).all()):
        raise CheckpointError(
            f"{what} has numbers that {str(dtype).removeprefix('torch.')} cannot hold: use float32."
        )
    raise CheckpointError(f"{what} has NaN or infinite weights: the file is damaged, download it again.")


def named(keys: Iterable[str], limit: int = 3) -> str:
    """The first few keys for a message."""
    keys = [(key if len(key) <= 80 else key[:79] + "…") or "a tensor without a name" for key in sorted(keys)]
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if len(keys) > limit else "")


def check_keys(
    expected: Mapping[str, Tensor], found: Mapping[str, Stored] | Mapping[str, Tensor], what: str, advice: str
) -> None:
    """Raise CheckpointError unless ``found`` has exactly the keys, shapes and kinds of numbers of
    ``expected``.
    """
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected:
        parts = [f"lacks {named(missing)}"] if missing else []
        parts += [f"has the unknown {named(unexpected)}"] if unexpected else []
        raise CheckpointError(f"{what} {' and '.join(parts)}: {advice}")
    for key in sorted(expected):
        have, want = tuple(found[key].shape), tuple(expected[key].shape)
        if have != want:
            raise CheckpointError(
                f"{what} has {key} of shape {list(have)} where {list(want)} is needed: {advice}"
            )
        if found[key].is_floating_point() != expected[key].is_floating_point():
            wanted = "floating-point" if expected[key].is_floating_point() else "whole"
            raise CheckpointError(f"{what} has {key} without {wanted} numbers: {advice}")
