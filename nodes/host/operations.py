"""ComfyUI's layers for our networks: weights that are fetched, converted and patched as they run."""

from __future__ import annotations

from typing import Any

import comfy.ops
import torch
from comfy import model_management
from torch import Tensor

from ...eadnet.modules.operations import Operations


def operations_for(stored: torch.dtype, computed: torch.dtype) -> Operations:
    """The layers for weights that are stored in one type and compute in another, as ComfyUI picks them."""
    device = model_management.get_torch_device()
    picked = comfy.ops.pick_operations(stored, computed, load_device=device)
    own = {"weights": staticmethod(_weights), "value": staticmethod(_value)}
    made: Any = type("Operations", (picked,), own)
    operations: Operations = made
    return operations


def _weights(layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
    if not (layer.comfy_cast_weights or layer.weight_function or layer.bias_function):
        return layer.weight, layer.bias
    weight, bias = comfy.ops.cast_bias_weight(layer, x)
    return weight, bias


def _value(parameter: Tensor, x: Tensor) -> Tensor:
    value: Tensor = model_management.cast_to(parameter, x.dtype, x.device)
    return value
