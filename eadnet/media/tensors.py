"""Numbers that somebody else holds, in whatever they hold them, as a plain tensor on the processor."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

# What NumPy and torch raise for what is no array of numbers.
NO_NUMBERS = (TypeError, ValueError, OverflowError, RuntimeError, NotImplementedError)


def tensor_of(value: Any, move: bool = False) -> Tensor:
    """A tensor, an array of NumPy's of any byte order and strides, or nested lists of numbers; a list of
    equal tensors or arrays is stacked, one of batches [n, H, W, C] joined. ``move`` brings a tensor to the
    processor; otherwise it stays where it is. Gradients are left behind.

    Raises one of `NO_NUMBERS` for anything else, tensors without numbers of their own among it.
    """
    if not isinstance(value, Tensor):
        value = _from_numpy(value) if not _is_of_arrays(value) else _joined([tensor_of(v) for v in value])
    if value.is_meta or value.is_nested or value.is_quantized:
        raise TypeError("a tensor without plain numbers")
    value = value.detach().resolve_conj().resolve_neg()
    if move:
        value = value.to("cpu")
    return value if value.layout == torch.strided else value.to_dense()


def _is_of_arrays(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(part, (Tensor, np.ndarray)) for part in value)
    )


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if parts[0].ndim == 4 else torch.stack(parts)


def _from_numpy(value: Any) -> Tensor:
    array = np.array(value)
    if array.dtype == np.longdouble or (
        array.dtype == object and all(isinstance(n, Number) for n in array.flat)
    ):
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))
