"""A device that is none: tensors on the processor that say they are elsewhere, and do only what MPS can do.

MPS has no float64, nearest `interpolate` in half precision gives black frames there, and antialiased bicubic
resizing is not implemented. What is on the device and what is not do not mix, as anywhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")  # the one that every build can name
_HALF = (torch.float16, torch.bfloat16)


class CannotDo(RuntimeError):
    """What the device cannot do."""


class Elsewhere(torch.Tensor):
    """A tensor on the pretended device."""

    inner: torch.Tensor  # type: ignore[assignment]  # not the inner product

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Elsewhere:
        if inner.dtype == torch.float64:
            raise CannotDo("the device has no float64")
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype, device=DEVICE
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.inner!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class OnDevice(TorchDispatchMode):
    """Within it tensors can be made on, and moved to, the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _is_device(value: Any) -> bool:
    return value is not None and torch.device(value).type == DEVICE.type


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    here = any(isinstance(value, Elsewhere) for value in given)
    name = func.overloadpacket.__name__
    moves = name in ("_to_copy", "copy_", "index", "index_put_")  # indices may be anywhere
    if here and not moves and any(not isinstance(value, Elsewhere) and value.ndim for value in given):
        raise CannotDo(f"{name}: tensors on the device and on the processor")
    if here and name.startswith("upsample_nearest") and given[0].dtype in _HALF:
        raise CannotDo(f"{name} in {given[0].dtype} gives black frames")
    if here and name == "_upsample_bicubic2d_aa":
        raise CannotDo(f"{name} is not implemented")
    there = here
    if "device" in kwargs and kwargs["device"] is not None:
        there = _is_device(kwargs["device"])
        kwargs = {**kwargs, "device": torch.device("cpu") if there else kwargs["device"]}
    bare_args, bare_kwargs = tree_map(_bare, (args, kwargs))
    result = func(*bare_args, **bare_kwargs)
    if (
        name == "copy_"
        or func._schema.name.endswith("_")
        or any(
            argument.alias_info is not None and argument.alias_info.is_write
            for argument in func._schema.arguments
        )
    ):
        return args[0] if args and isinstance(args[0], torch.Tensor) else kwargs.get("out", result)
    return (
        tree_map(lambda value: Elsewhere(value) if isinstance(value, torch.Tensor) else value, result)
        if there
        else result
    )


def _bare(value: Any) -> Any:
    return value.inner if isinstance(value, Elsewhere) else value
