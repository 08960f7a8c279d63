"""Linear layers of one input and one width as one product, where their weights lie one behind the other.

Checkpoints, adapters and memory managers know queries, keys and values by three names, so they stay three
layers. `lay_out` puts their weights behind one another without changing a value; whoever moves or replaces
one of them afterwards undoes that, and then there are several products again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def products(layers: Sequence[nn.Linear], x: Tensor) -> Sequence[Tensor]:
    """What each of the layers, of one input and without bias, makes of ``x`` [..., D], to the last digit.

    As a batch of products, so that each result lies in a piece of its own: what follows copies none of them.
    """
    joint = _joint(layers)
    if joint is None:
        return [layer(x) for layer in layers]
    rows = x.reshape(1, -1, x.shape[-1]).expand(len(layers), -1, -1)
    return torch.bmm(rows, joint.transpose(1, 2)).unflatten(1, x.shape[:-1]).unbind()


def lay_out(layers: Sequence[nn.Linear]) -> None:
    """Put the weights of layers of one input behind one another, where they can be."""
    if not _plain(layers) or _adjacent(layers):
        return
    weights = [layer.weight for layer in layers]
    if len({(weight.shape, weight.dtype, weight.device) for weight in weights}) > 1:
        return
    joint = torch.cat([weight.detach() for weight in weights])
    for weight, part in zip(weights, joint.split([len(weight) for weight in weights]), strict=True):
        weight.data = part


def lay_out_projections(network: nn.Module) -> None:
    """`lay_out` what each attention of a network projects from one input. For a network that is where it
    will compute and is not trained. On the processor nothing is done: three products take as long as one
    there, and weights stay mapped from their file.
    """
    for module in network.modules():
        if (projections := getattr(module, "of_one_input", None)) is not None:
            if projections[0].weight.device.type == "cpu":
                return
            lay_out(projections)


def _joint(layers: Sequence[nn.Linear]) -> Tensor | None:
    """The weights of all [n, out, D], a view; None where there is none or a gradient needs each."""
    if (
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or not _plain(layers)
        or not _adjacent(layers)
    ):
        return None
    first = layers[0].weight.detach()
    return first.as_strided((len(layers), *first.shape), (first.numel(), *first.stride()))


def _plain(layers: Sequence[nn.Linear]) -> bool:
    """Whether they are torch's own and nothing else happens when they are called."""
    return all(
        type(layer) is nn.Linear
        and layer.bias is None
        and "forward" not in vars(layer)
        and not (layer._forward_hooks or layer._forward_pre_hooks)
        for layer in layers
    )


def _adjacent(layers: Sequence[nn.Linear]) -> bool:
    """Whether the weights lie behind one another in one piece of memory."""
    place = None
    for layer in layers:
        weight = layer.weight
        if not weight.is_contiguous():
            return False
        here = (weight.untyped_storage()._cdata, weight.storage_offset(), weight.dtype, weight.shape)
        if place is not None and here != place:
            return False
        place = (here[0], here[1] + weight.numel(), *here[2:])
    return True
