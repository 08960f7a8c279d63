"""What a network is built of: torch's layers, or a host's that fetch and convert their weights as they run.

A host that keeps weights on another device, in eight bits or with patches on them hands its own layers to a
network's constructor. The network asks two more things of it, for weights that it uses outside of a layer.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Operations(Protocol):
    """Layers with the constructors of torch's, and the two ways to a weight outside of a layer."""

    Linear: Any
    Conv2d: Any
    GroupNorm: Any
    LayerNorm: Any

    def weights(self, layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weight and bias of a layer as they compute with ``x``: on its device, in its type."""
        ...

    def value(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A parameter or buffer of no layer as it computes with ``x``."""
        ...


class TorchOperations:
    """torch's own layers, whose weights are where and what they compute with."""

    Linear = nn.Linear
    Conv2d = nn.Conv2d
    GroupNorm = nn.GroupNorm
    LayerNorm = nn.LayerNorm

    @staticmethod
    def weights(layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return layer.weight, layer.bias

    @staticmethod
    def value(parameter: Tensor, x: Tensor) -> Tensor:
        return parameter


TORCH: Operations = TorchOperations()


def placement(network: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where a network computes, and in which type: what its host says, else where and what its weights are
    (the processor and float32 without any).
    """
    weight = next(network.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    dtype = torch.float32 if weight is None else weight.dtype
    said = getattr(network, "compute_device", None), getattr(network, "compute_dtype", None)
    return said[0] or device, said[1] or dtype


def zeroed(layer: Any) -> Any:
    """A layer that starts at zero. A host's layer may have no weights before they are loaded."""
    for value in (layer.weight, layer.bias):
        if value is not None:
            nn.init.zeros_(value)
    return layer
