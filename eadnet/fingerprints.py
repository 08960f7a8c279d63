"""Short names that change with whatever decides a result: files, weights, pictures, numbers, words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (str, bytes, bool, int, float, Fraction, type(None))
_PIECE = 1 << 24
_ROW = 4096
# Of larger files than this, bytes, some blocks are read, and the time of change counts.
_WHOLE = 16 << 20
_BLOCK, _BLOCKS = 1 << 16, 64


def fingerprint(*parts: Any) -> str:
    """Sixteen hexadecimal digits.

    A path stands for what is in the file, wherever that lies (of a large one, for a sample of it and its time
    of change; a folder for all files in it), a network for its weights and its configuration, an array or
    tensor for its numbers, a data class, mapping or sequence for what it holds, and any other object for its
    class and its attributes as far as they are words, numbers, paths, arrays or data classes.
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
        _add_network(digest, part)
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


def _add_network(digest: Any, network: nn.Module) -> None:
    config = getattr(network, "config", None)
    if isinstance(config, Mapping):  # where weights of the same shapes compute different things
        known = (*_PLAIN, list, tuple)
        _add(digest, {name: value for name, value in config.items() if isinstance(value, known)})
    for name, weight in network.state_dict().items():
        if isinstance(weight, Tensor):
            _add(digest, name)
            digest.update(f"{weight.dtype} {list(weight.shape)};".encode())
            for numbers in _sums(weight.detach()):
                digest.update(numbers.cpu().view(torch.uint8).numpy().tobytes())


def _sums(weight: Tensor) -> Iterator[Tensor]:
    """What changes with any change of a tensor: the sums of its bits, as whole numbers, over rows and over
    columns. They are made where it lies, so that gigabytes take a moment.
    """
    if weight.device.type not in ("cpu", "cuda"):  # others do not know all of these types
        weight = weight.cpu()
    flat = weight.flatten()
    each = 8 // flat.element_size() if flat.element_size() <= 8 else 1
    whole = flat.numel() // (each * _ROW) * each * _ROW
    yield flat[whole:]
    if flat.storage_offset() % each:
        flat = flat.clone()
    for piece in flat[:whole].split(_PIECE):
        rows = piece.view(torch.int64).view(-1, _ROW)
        yield rows.sum(dim=0)
        yield rows.sum(dim=1)


def _add_file(digest: Any, path: Path) -> None:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            if file != path:
                _add(digest, file.relative_to(path).as_posix())
            _add_content(digest, file)


def _add_content(digest: Any, path: Path) -> None:
    stat = path.stat()
    digest.update(f"{stat.st_size} bytes;".encode())
    with path.open("rb") as file:
        if stat.st_size <= _WHOLE:
            digest.update(file.read())
            return
        for number in range(_BLOCKS):
            file.seek(number * (stat.st_size - _BLOCK) // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
    digest.update(f"{stat.st_mtime_ns};".encode())


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
