"""LPIPS (Zhang et al., arXiv 1801.03924): a classifier's features, weighted by what people call alike.

VGG16 or AlexNet as torchvision publishes them, whose first layers keep their names ("features.0.weight"), and
the weights of version 0.1 for the channels of five of their layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

# Of [-1, 1]: ImageNet's means and deviations.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

# Widths of VGG16's convolutions, with a pooling before each further group; features are taken behind the last
# ReLU of each.
_VGG = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)


def _vgg16() -> tuple[nn.Sequential, list[int]]:
    layers: list[nn.Module] = []
    taken, inputs = [], 3
    for group in _VGG:
        if layers:
            layers.append(nn.MaxPool2d(2, 2))
        for width in group:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        taken.append(len(layers) - 1)
    return nn.Sequential(*layers), taken


def _alexnet() -> tuple[nn.Sequential, list[int]]:
    layers = [
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    ]
    return nn.Sequential(*layers), [1, 4, 7, 9, 11]


TRUNKS = {"vgg16": _vgg16, "alexnet": _alexnet}


class LPIPS(nn.Module):
    """Gives features of pictures [B, 3, H, W] in 0..1, and `distance` of two such batches.

    Args:
        trunk: one of `TRUNKS`.
    """

    def __init__(self, trunk: str = "vgg16") -> None:
        super().__init__()
        self.config = {"trunk": trunk}
        self.name = f"LPIPS ({trunk})"
        self.features, self.taken = TRUNKS[trunk]()
        # The layer before each ReLU is the convolution whose channels it has.
        widths = [cast(nn.Conv2d, self.features[at - 1]).out_channels for at in self.taken]
        self.lin = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LPIPS:
        """From what a checkpoint's header says."""
        return cls(**config)

    @property
    def weights(self) -> list[Tensor]:
        """[C_l] of each level."""
        return list(self.lin)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Feature maps [B, C_l, H_l, W_l] of five levels; pictures have 32 pixels a side or more."""
        x = pictures.to(self.lin[0])
        shift, scale = (x.new_tensor(numbers)[:, None, None] for numbers in (_SHIFT, _SCALE))
        x = (2 * x - 1 - shift) / scale
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.taken:
                found.append(x)
        return found

    def distance(self, pictures: Tensor, others: Tensor) -> Tensor:
        """[B], 0 for equal pictures; differentiable."""
        return feature_distance(self(pictures), self(others), self.weights)


def feature_distance(ours: Sequence[Tensor], theirs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """[B]: features scaled to unit length per place; squared differences weighted per channel, averaged over
    places and added over levels.
    """
    levels = []
    for x, y, weight in zip(ours, theirs, weights, strict=True):
        difference = (_unit(x) - _unit(y)).square()
        levels.append((difference * weight.to(difference)[:, None, None]).sum(1).mean((1, 2)))
    return torch.stack(levels).sum(0)


def _unit(features: Tensor) -> Tensor:
    features = features.float()
    # The smallest of sums keeps the slope of features that are all 0 a number.
    return features / ((features.square().sum(1, keepdim=True) + 1e-20).sqrt() + 1e-10)
