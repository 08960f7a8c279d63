"""Short names that change with whatever decides a result: files, weights, pictures, numbers, words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (str, bytes, bool, int, float, Fraction, type(None))
# Values looked at in each parameter of a network: another training has changed some of them.
_SAMPLED = 16
_PIECE = 1 << 24


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits.

    A path stands for the file there (its size and time of change; a folder for all files in it), a network
    for its weights, an array or tensor for its numbers, a data class, mapping or sequence for what it holds,
    and any other object for its class and its attributes as far as they are words, numbers, paths, arrays or
    data classes.
    """
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()[:16]


def _add(digest: Any, part: Any) -> None:
    if isinstance(part, _PLAIN):
        digest.update(f"{type(part).__name__} {part!r};".encode())
    elif isinstance(part, Path):
        _add_file(digest, part)
    elif isinstance(part, nn.Module):
        for name, weight in part.state_dict().items():
            flat = weight.detach().flatten()
            _add(digest, name)
            _add(digest, flat[:: max(1, flat.numel() // _SAMPLED)])
    elif isinstance(part, Tensor):
        digest.update(f"{part.dtype} {list(part.shape)};".encode())
        for piece in part.detach().flatten().split(_PIECE):
            digest.update(piece.cpu().float().numpy().tobytes())
    elif isinstance(part, np.ndarray):
        digest.update(f"{part.dtype} {part.shape};".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    elif isinstance(part, (torch.dtype, torch.device)):
        digest.update(f"{part};".encode())
    elif isinstance(part, Mapping):
        for name in sorted(part, key=repr):
            _add(digest, name)
            _add(digest, part[name])
    elif isinstance(part, (list, tuple)):
        digest.update(f"{len(part)} of;".encode())
        for item in part:
            _add(digest, item)
    else:
        digest.update(f"{type(part).__qualname__};".encode())
        _add_attributes(digest, part)


def _add_file(digest: Any, path: Path) -> None:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns};".encode())


def _add_attributes(digest: Any, part: Any) -> None:
    if is_dataclass(part):
        held = {field.name: getattr(part, field.name) for field in fields(part)}
    else:
        known = (*_PLAIN, Path, Tensor, np.ndarray)
        held = {
            name: value
            for name, value in getattr(part, "__dict__", {}).items()
            if isinstance(value, known) or is_dataclass(value)
        }
    _add(digest, held)
