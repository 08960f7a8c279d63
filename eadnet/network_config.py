"""Settings of networks that a file states: bounds on every number, and building under a budget.

A configuration is a few words, and its numbers decide how much is built. Here nothing is built for numbers
that no network of ours has, and building ends where more tensors are made than the file has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .errors import CheckpointError, InputError

_DEEPEST = 8
_MOST_VALUES = 4096
_LONGEST_TEXT = 4000
_LARGEST = 1 << 16

# Settings that may be 0, and those with a bound of their own. All other whole numbers are 1 to 65,536.
_FROM_ZERO = {
    "attn_blocks", "beta_start", "clip_sample_range", "decoder_blocks", "downsample_padding", "dropout",
    "encoder_blocks", "freq_shift", "layers", "max_distance", "mid_block_scale_factor", "sample_size",
    "num_transformer_block", "steps_offset",
}  # fmt: skip
_MOST = {
    "buckets": 1 << 24, "dilations": 4096, "downsample_factors": 64, "grams_per_word": 1000, "strip": 4096,
    "top_k": 4096,
}  # fmt: skip
_TENTHS = {"dropout", "norm_eps"}  # between 0 and 1

# What makes tensors. Only there may building end: torch's own context managers call torch on their way out.
_MAKERS = {"arange", "empty", "full", "linspace", "ones", "rand", "randn", "tensor", "zeros", "clone"}
_FIRST_VALUES = {"kaiming_uniform_", "normal_", "uniform_", "xavier_uniform_"}
_MADE = 8  # of which one tensor of a network may need so many

T = TypeVar("T", bound=nn.Module)


def read_json(text: str, where: str, many: int = _MOST_VALUES) -> Any:
    """JSON of a file's header. Raises CheckpointError for what is none, too deep, too long, or not finite."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is damaged: download or convert the file again.") from error
    left = [many]
    _check_shape(values, where, left, 0)
    return values


def _check_shape(value: Any, where: str, left: list[int], depth: int) -> None:
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise CheckpointError(f"{where} holds more than any model's: choose another file.")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_shape(key, where, left, depth)
            _check_shape(part, where, left, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check_shape(part, where, left, depth + 1)
    elif isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise CheckpointError(f"{where} has a text of {len(value)} characters: choose another file.")
    elif isinstance(value, (int, float)) and not -1e18 < value < 1e18:  # NaN, infinity, hundreds of digits
        raise CheckpointError(f"{where} has a number that is not finite or absurd: choose another file.")


def check_numbers(config: Any, where: str, key: str = "") -> None:
    """Raise CheckpointError for a number that no network of ours has. ``where`` names what is configured."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            check_numbers(value, where, str(name))
    elif isinstance(config, (list, tuple)):
        for value in config:
            check_numbers(value, where, key)
    elif isinstance(config, (int, float)) and not isinstance(config, bool):
        low, high = 0 if key in _FROM_ZERO else 1, _MOST.get(key, _LARGEST)
        if key in _TENTHS:
            fits = 0 < config < 1 or (config == 0 and key in _FROM_ZERO)
            low, high = 0, 1
        elif isinstance(config, int):
            fits = low <= config <= high
        else:
            fits = math.isfinite(config) and abs(config) <= high
        if not fits:
            raise CheckpointError(
                f"{where} has the setting {key[:40]} = {str(config)[:20]}, which must be {low} to {high}: "
                "convert or download the file again."
            )


_REPEATED = ("layers", "depth", "num_block")  # in the names of settings that say how often something is built
_MOST_REPEATED = 512


def check_model_config(path: Path) -> None:
    """Judge the `config.json` of a folder in the layout of transformers before a model is made of it.

    Raises CheckpointError for what is none, or says that more is to be built than any model has.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > 1 << 20:
            raise CheckpointError(f"{where} is larger than any model's: choose another folder.")
        config = read_json(path.read_text("utf-8"), where, many=1 << 18)
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{where} cannot be read: download the model's whole folder again.") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{where} has no settings by name: download the model's whole folder again.")
    _check_repeated(config, where)


def _check_repeated(value: Any, where: str, key: str = "") -> None:
    if isinstance(value, Mapping):
        for name, part in value.items():
            _check_repeated(part, where, str(name))
    elif isinstance(value, list):
        for part in value:
            _check_repeated(part, where, key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        most = _MOST_REPEATED if any(word in key.lower() for word in _REPEATED) else 1 << 32
        if not -most <= value <= most:
            raise CheckpointError(
                f"{where} has the setting {key[:40]} = {str(value)[:20]}, more than any model."
            )


class _Budget(TorchFunctionMode):
    """Ends building when more is made than a network of so many tensors needs."""

    def __init__(self, tensors: int) -> None:
        super().__init__()
        self.left = _MADE * (tensors + 50)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _MAKERS:
            self.left -= 1
            if self.left < 0:
                raise _TooMuch
        if name in _FIRST_VALUES:  # nobody sees them where there is no memory
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class _TooMuch(Exception):
    pass


def build_without_memory(
    make: Callable[[Mapping[str, Any]], T], config: Any, tensors: int, where: str, advice: str
) -> T:
    """``make(config)`` without memory for weights, for a file with so many tensors.

    Raises CheckpointError, which names ``where``, for a configuration that is none, has a number out of
    bounds, does not fit the network, or would make more than the file has.
    """
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{where} has no settings by name: {advice}")
    check_numbers(config, where)
    try:
        with torch.device("meta"), _Budget(tensors):
            return make(config)
    except _TooMuch as error:
        raise CheckpointError(f"{where} describes more layers than the file has: {advice}") from error
    except Exception as error:  # whatever a constructor says to settings that do not fit together
        why = str(error) or type(error).__name__
        raise CheckpointError(f"{where} does not fit ({why[:160]}): {advice}") from error


def has_no_memory() -> bool:
    """Whether a network is being built without memory. Values that nobody sees are better not computed there:
    the first sum makes torch import its compiler, which takes seconds.
    """
    return torch.empty(0).is_meta


def check_divides(part: int, whole: int, what: str) -> None:
    """Raise InputError unless so many heads or groups (``what``) share ``whole`` channels evenly."""
    if part < 1 or whole % part:
        raise InputError(f"{part} {what} cannot share {whole} channels evenly: choose a divisor.")
