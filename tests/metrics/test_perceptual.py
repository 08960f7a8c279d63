from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from eadnet.errors import InputError
from eadnet.metrics.perceptual import lpips


class Pyramid:
    name = "a fixed random network"

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.kernels = [torch.randn(8, 3, 3, 3, generator=random), torch.randn(12, 8, 3, 3, generator=random)]

    def __call__(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        maps, x = [], pictures
        for kernel in self.kernels:
            x = F.relu(F.conv2d(x, kernel, stride=2))
            maps.append(x)
        return maps


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_it_is_the_published_formula(clip):
    weights = [torch.rand(8), torch.rand(12)]
    expected = torch.zeros(1)
    for w, x, y in zip(weights, Pyramid()(clip[:1]), Pyramid()(clip[1:2]), strict=True):
        x, y = (z / (z.norm(dim=1, keepdim=True) + 1e-10) for z in (x, y))
        expected += (w[:, None, None] * (x - y) ** 2).sum(1).mean()
    torch.testing.assert_close(lpips(clip[:1], clip[1:2], Pyramid(), weights), expected)


def test_equal_pictures_are_at_no_distance_and_damage_grows(clip):
    assert float(lpips(clip, clip, Pyramid()).max()) == 0
    noise = torch.randn(clip.shape, generator=torch.Generator().manual_seed(2))
    values = [float(lpips(clip + s * noise, clip, Pyramid()).mean()) for s in (0.01, 0.05, 0.2)]
    assert values == sorted(values) and values[0] > 0


def test_constant_pictures_give_numbers():
    assert lpips(torch.zeros(2, 3, 32, 32), torch.ones(2, 3, 32, 32), Pyramid()).isfinite().all()


def test_weights_of_another_network_are_refused(clip):
    with pytest.raises(InputError, match="do not fit"):
        lpips(clip, clip, Pyramid(), [torch.ones(3), torch.ones(12)])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_network_that_gives_no_numbers_is_named(clip, value):
    network = Pyramid()
    network.kernels[1][0, 0, 0, 0] = value
    with pytest.raises(InputError, match="perceptual network a fixed random network's result is not finite"):
        lpips(clip[:2], clip[2:4], network)
