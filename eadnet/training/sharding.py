"""Weights that lie in parts on all processes (FSDP2): each process' own part, and the whole of them.

`torch.distributed.fsdp.fully_shard` makes parameters `DTensor`s. What is averaged and saved for a resume is a
process' own part; what becomes a file of weights is gathered, by all processes together.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def is_sharded(value: Tensor) -> bool:
    """Whether a weight lies in parts."""
    return hasattr(value, "full_tensor")


def own(value: Tensor) -> Tensor:
    """The part of a weight that this process holds; it shares memory with the weight."""
    return value.to_local() if is_sharded(value) else value  # type: ignore[attr-defined]


def whole(value: Tensor) -> Tensor:
    """All of a weight; every process must ask for it."""
    return value.full_tensor() if is_sharded(value) else value  # type: ignore[attr-defined]


@torch.no_grad()
def gathered(network: Network, fresh: Network) -> Network:
    """``fresh``, a network of the same kind without memory, with all the weights of ``network``, where they
    are; every process must ask for it.
    """
    state = {key: whole(value).detach().clone() for key, value in network.state_dict().items()}
    fresh.load_state_dict(state, assign=True)
    return fresh.eval()


def skeleton(network: Network) -> Network:
    """The same network without memory for its weights; before they are sharded."""
    with torch.device("meta"):
        return copy.deepcopy(network).to("meta")
