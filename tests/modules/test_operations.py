"""The U-Net from a host's layers: every layer is the host's, and names and numbers are the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eadnet.modules.operations import TORCH, Operations, zeroed
from eadnet.modules.unet import EADUNet
from tests.tiny import UNET

STORED, COMPUTED = torch.bfloat16, torch.float32


def _used(layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
    return layer.weight.to(x), None if layer.bias is None else layer.bias.to(x)


class _Linear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, *_used(self, x))


class _Conv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, *_used(self, x))


class _GroupNorm(nn.GroupNorm):
    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, *_used(self, x), self.eps)


class _LayerNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, *_used(self, x), self.eps)


class Host:
    """Layers whose weights lie in one type and compute in another, as a host's do."""

    Linear, Conv2d, GroupNorm, LayerNorm = _Linear, _Conv2d, _GroupNorm, _LayerNorm

    @staticmethod
    def weights(layer: Any, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return _used(layer, x)

    @staticmethod
    def value(parameter: Tensor, x: Tensor) -> Tensor:
        return parameter.to(x)


def _unet(operations: Operations) -> EADUNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = {**UNET, "ead": {**UNET["ead"], "emotion_global": True}}
        unet = EADUNet.from_config(config, operations)
        for parameter in unet.parameters():  # nothing an identity: every weight is to be seen in the result
            nn.init.normal_(parameter, std=0.2)
    return unet.eval().requires_grad_(False)


def _inputs() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    shapes = (1, 13, 5, 4, 4), (1, 5, 6, 8), (1, 5, 7, 12)
    sample, audio, emotion = (torch.randn(shape, generator=generator) for shape in shapes)
    return sample, torch.tensor([500]), audio, emotion


def test_every_layer_is_the_hosts_under_the_same_names() -> None:
    ours, theirs = _unet(TORCH), _unet(Host())
    layers = [module for module in theirs.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    norms = [module for module in theirs.modules() if isinstance(module, (nn.GroupNorm, nn.LayerNorm))]
    assert layers and all(isinstance(layer, (_Linear, _Conv2d)) for layer in layers)
    assert norms and all(isinstance(norm, (_GroupNorm, _LayerNorm)) for norm in norms)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_the_same_weights_give_the_same_numbers() -> None:
    ours, theirs = _unet(TORCH), _unet(Host())
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours(*_inputs()), theirs(*_inputs()))


def test_weights_of_one_type_compute_in_another() -> None:
    """As with eight-bit weights: nothing computes in the type that they are stored in."""
    stored = _unet(Host()).to(STORED)
    stored.compute_dtype = COMPUTED
    result = stored(*_inputs())
    assert result.dtype == COMPUTED
    plain = _unet(TORCH)
    plain.load_state_dict({key: value.to(COMPUTED) for key, value in stored.state_dict().items()})
    assert torch.equal(result, plain(*_inputs()))


def test_a_layer_without_weights_yet_can_start_at_zero() -> None:
    layer = nn.Linear(2, 3)
    assert not zeroed(layer).weight.any() and not layer.bias.any()
    layer.weight = layer.bias = None  # type: ignore[assignment]
    assert zeroed(layer) is layer
