"""Inception v3 (arXiv 1512.00567) as FID uses it: features [B, 2048] of images.

Parameter names are those of `pt_inception-2015-12-05-6726825d.pth`, the published port of the TensorFlow
network that FID is defined by. It differs from torchvision's in its pooling: averages leave out the padding,
and the last block takes the maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..finite import SCORE_ADVICE, check_result

SIDE = 299
CLASSES = 1008


class Convolution(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, same: bool = True
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if same else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class BlockA(nn.Module):
    def __init__(self, inputs: int, pool: int, n: Widths) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, n(64), 1)
        self.branch5x5_1 = Convolution(inputs, n(48), 1)
        self.branch5x5_2 = Convolution(n(48), n(64), 5)
        self.branch3x3dbl_1 = Convolution(inputs, n(64), 1)
        self.branch3x3dbl_2 = Convolution(n(64), n(96), 3)
        self.branch3x3dbl_3 = Convolution(n(96), n(96), 3)
        self.branch_pool = Convolution(inputs, n(pool), 1)

    def forward(self, x: Tensor) -> Tensor:
        small = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), small, double, self.branch_pool(_average(x))], 1)


class BlockB(nn.Module):
    def __init__(self, inputs: int, n: Widths) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, n(384), 3, 2, same=False)
        self.branch3x3dbl_1 = Convolution(inputs, n(64), 1)
        self.branch3x3dbl_2 = Convolution(n(64), n(96), 3)
        self.branch3x3dbl_3 = Convolution(n(96), n(96), 3, 2, same=False)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class BlockC(nn.Module):
    def __init__(self, inputs: int, middle: int, n: Widths) -> None:
        super().__init__()
        wide, high, c = (1, 7), (7, 1), n(middle)
        self.branch1x1 = Convolution(inputs, n(192), 1)
        self.branch7x7_1 = Convolution(inputs, c, 1)
        self.branch7x7_2 = Convolution(c, c, wide)
        self.branch7x7_3 = Convolution(c, n(192), high)
        self.branch7x7dbl_1 = Convolution(inputs, c, 1)
        self.branch7x7dbl_2 = Convolution(c, c, high)
        self.branch7x7dbl_3 = Convolution(c, c, wide)
        self.branch7x7dbl_4 = Convolution(c, c, high)
        self.branch7x7dbl_5 = Convolution(c, n(192), wide)
        self.branch_pool = Convolution(inputs, n(192), 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_average(x))], 1)


class BlockD(nn.Module):
    def __init__(self, inputs: int, n: Widths) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, n(192), 1)
        self.branch3x3_2 = Convolution(n(192), n(320), 3, 2, same=False)
        self.branch7x7x3_1 = Convolution(inputs, n(192), 1)
        self.branch7x7x3_2 = Convolution(n(192), n(192), (1, 7))
        self.branch7x7x3_3 = Convolution(n(192), n(192), (7, 1))
        self.branch7x7x3_4 = Convolution(n(192), n(192), 3, 2, same=False)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_2(self.branch3x3_1(x))
        double = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([single, self.branch7x7x3_4(double), F.max_pool2d(x, 3, 2)], 1)


class BlockE(nn.Module):
    """``largest``: the pooled branch takes the maximum, as in FID's last block, not the average."""

    def __init__(self, inputs: int, n: Widths, largest: bool) -> None:
        super().__init__()
        self.largest = largest
        self.branch1x1 = Convolution(inputs, n(320), 1)
        self.branch3x3_1 = Convolution(inputs, n(384), 1)
        self.branch3x3_2a = Convolution(n(384), n(384), (1, 3))
        self.branch3x3_2b = Convolution(n(384), n(384), (3, 1))
        self.branch3x3dbl_1 = Convolution(inputs, n(448), 1)
        self.branch3x3dbl_2 = Convolution(n(448), n(384), 3)
        self.branch3x3dbl_3a = Convolution(n(384), n(384), (1, 3))
        self.branch3x3dbl_3b = Convolution(n(384), n(384), (3, 1))
        self.branch_pool = Convolution(inputs, n(192), 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.largest else _average(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, 1)


class Widths:
    """Published numbers of channels over ``slimmer``."""

    def __init__(self, slimmer: int) -> None:
        self.slimmer = slimmer

    def __call__(self, channels: int) -> int:
        return channels // self.slimmer


class Inception(nn.Module):
    """Features for FID (arXiv 1706.08500).

    Args:
        slimmer: divides all channels; 1 as published, more for tests.
    """

    name = "Inception v3 of FID"

    def __init__(self, slimmer: int = 1) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"slimmer": slimmer}
        n = Widths(slimmer)
        self.dim = n(320) + 4 * n(384) + n(192)
        self.Conv2d_1a_3x3 = Convolution(3, n(32), 3, 2, same=False)
        self.Conv2d_2a_3x3 = Convolution(n(32), n(32), 3, same=False)
        self.Conv2d_2b_3x3 = Convolution(n(32), n(64), 3)
        self.Conv2d_3b_1x1 = Convolution(n(64), n(80), 1)
        self.Conv2d_4a_3x3 = Convolution(n(80), n(192), 3, same=False)
        a, c = n(64) + n(64) + n(96), 4 * n(192)
        self.Mixed_5b = BlockA(n(192), 32, n)
        self.Mixed_5c = BlockA(a + n(32), 64, n)
        self.Mixed_5d = BlockA(a + n(64), 64, n)
        self.Mixed_6a = BlockB(a + n(64), n)
        self.Mixed_6b = BlockC(n(384) + n(96) + a + n(64), 128, n)
        self.Mixed_6c = BlockC(c, 160, n)
        self.Mixed_6d = BlockC(c, 160, n)
        self.Mixed_6e = BlockC(c, 192, n)
        self.Mixed_7a = BlockD(c, n)
        self.Mixed_7b = BlockE(n(320) + n(192) + c, n, largest=False)
        self.Mixed_7c = BlockE(self.dim, n, largest=True)
        self.fc = nn.Linear(self.dim, CLASSES)  # not used; its weights are in the file
        self.eval()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Inception:
        return cls(**config)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """[B, 3, H, W] in 0..1 -> [B, dim] on the CPU."""
        x = pictures.to(self.fc.weight)
        if tuple(x.shape[-2:]) != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear")
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(2 * x - 1)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3)).float().cpu()
        return check_result(features, self.name, SCORE_ADVICE)
