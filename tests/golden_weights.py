"""Deterministic weights and inputs of the reference outputs in `tests/golden`.

The reference networks were run on weights that are a function of their key name, so the numbers can be
reproduced here without the weights being stored.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"
_KEPT = ("pos_encoder.pe", "positional_embedding", "pos_embed", "running_mean", "running_var")


def _normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    seed = zlib.crc32(name.encode()) & 0xFFFFFFFF
    return np.random.RandomState(seed).standard_normal(size=shape).astype(np.float32)


def weight(tag: str, key: str, shape: tuple[int, ...]) -> Tensor:
    """The value of the parameter called `key` in the reference network called `tag`."""
    x = _normal(f"{tag}:{key}", tuple(shape))
    if len(shape) >= 2:
        x = x * np.float32(0.8 / np.sqrt(np.prod(shape[1:])))
    elif key.endswith("bias"):
        x = x * np.float32(0.05)
    else:  # norm scales and every other vector
        x = np.float32(1) + np.float32(0.1) * x
    return torch.from_numpy(np.asarray(x, dtype=np.float32))


def array(tag: str, *shape: int) -> Tensor:
    """A standard normal input called `tag`."""
    return torch.from_numpy(_normal(tag, shape))


def fill(module: nn.Module, tag: str) -> nn.Module:
    """Give every tensor of the module its reference value, in place.

    Fixed position tables, BatchNorm running statistics and integer tensors keep their own values.
    """
    state = module.state_dict()
    for key, value in state.items():
        if value.is_floating_point() and not key.endswith(_KEPT):
            state[key] = weight(tag, key, tuple(value.shape)).to(value.dtype)
    module.load_state_dict(state)
    return module.eval()


def load_golden(name: str) -> Any:
    """A golden file by name: tensors of a `.safetensors`, parsed content of a `.json`."""
    path = GOLDEN / name
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return load_file(path)
