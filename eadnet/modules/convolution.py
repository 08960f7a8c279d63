"""Convolutions of many channels on few pixels, as matrix products on a processor.

There oneDNN's time goes into putting the weights in an order of its own at every call: at 1280 channels and
4 x 4 pixels a product of gathered pixels takes 0.4 to 0.6 of its time, at 2 x 2 a fifth. Elsewhere its
convolutions are the quicker ones (`docs/results/speed.md`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .operations import Operations

FEW = 0.6
"""Pixels of all pictures together, over input channels, up to which the product is the quicker way."""

MANY = 320
"""Channels from which it is."""


def convolved(layer: nn.Conv2d, x: Tensor, operations: Operations) -> Tensor:
    """``layer(x)`` to rounding: [N, Cin, h, w] -> [N, Cout, h', w'].

    ``layer`` has one group, no dilation and zeros as padding. ``operations`` are those it is made of.
    """
    if not _quicker_as_product(layer, x):
        result: Tensor = layer(x)
        return result
    weight, bias = operations.weights(layer, x)
    gathered = _gathered(x, layer)
    rows = gathered.flatten(0, 2).flatten(1)
    product = F.linear(rows, weight.permute(0, 2, 3, 1).flatten(1), bias)
    return product.unflatten(0, gathered.shape[:3]).permute(0, 3, 1, 2)


def _quicker_as_product(layer: nn.Conv2d, x: Tensor) -> bool:
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and layer.in_channels >= MANY
        and pixels <= FEW * layer.in_channels
        and not torch.is_grad_enabled()  # the gathered pixels would be kept for the way back
    )


def _gathered(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """The pixels under the kernel at each of its places, [N, h', w', kernel height, kernel width, Cin]."""
    (high, wide), (down, across) = layer.kernel_size, layer.stride
    top, left = (int(size) for size in layer.padding)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
    return padded.unfold(1, high, down).unfold(2, wide, across).permute(0, 1, 2, 4, 5, 3)
