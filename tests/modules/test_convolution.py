"""Convolutions of many channels on few pixels are matrix products, with a convolution's numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from eadnet.modules.convolution import FEW, MANY, convolved
from eadnet.modules.operations import TORCH
from tests.modules.test_operations import Host

WIDE = 2 * MANY


def _layer(
    channels: int = WIDE, outputs: int = 24, kernel: int = 3, stride: int = 1, padding: int = 1
) -> nn.Conv2d:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Conv2d(channels, outputs, kernel, stride, padding)


def _input(channels: int = WIDE, pictures: int = 3, height: int = 5, width: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(pictures, channels, height, width, generator=generator)


def _calls(layer: nn.Conv2d) -> list[Tensor]:
    """What the layer's own convolution is given, as it comes."""
    given: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    return given


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (1, 1, 0), ((3, 1), (1, 2), (1, 0))]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_product_has_the_convolutions_numbers(
    kernel: int, stride: int, padding: int, layout: torch.memory_format
) -> None:
    layer = _layer(kernel=kernel, stride=stride, padding=padding).to(memory_format=layout)  # type: ignore[call-overload]
    x = _input().contiguous(memory_format=layout)
    with torch.no_grad():
        expected = layer(x)
        given = _calls(layer)
        result = convolved(layer, x, TORCH)
    assert not given
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_a_layer_without_bias() -> None:
    layer = nn.Conv2d(WIDE, 8, 3, padding=1, bias=False)
    with torch.no_grad():
        torch.testing.assert_close(convolved(layer, _input(), TORCH), layer(_input()), rtol=0, atol=1e-5)


def test_the_result_lies_as_the_next_convolution_wants_it() -> None:
    with torch.no_grad():
        result = convolved(_layer(), _input(), TORCH)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_a_hosts_weights_are_asked_for_as_they_compute() -> None:
    layer = Host.Conv2d(WIDE, 8, 3, padding=1).to(torch.bfloat16)
    with torch.no_grad():
        expected = layer(_input())
        given = _calls(layer)
        torch.testing.assert_close(convolved(layer, _input(), Host), expected, rtol=0, atol=1e-5)
    assert not given


def _many_pixels() -> tuple[nn.Conv2d, Tensor]:
    return _layer(), _input(pictures=int(FEW * WIDE / 20) + 1)


def _few_channels() -> tuple[nn.Conv2d, Tensor]:
    return _layer(MANY - 1), _input(MANY - 1)


def _half_precision() -> tuple[nn.Conv2d, Tensor]:
    return _layer().to(torch.bfloat16), _input().to(torch.bfloat16)


def _another_device() -> tuple[nn.Conv2d, Tensor]:
    return _layer().to("meta"), _input().to("meta")


@pytest.mark.parametrize("case", [_many_pixels, _few_channels, _half_precision, _another_device])
def test_elsewhere_the_layer_runs_itself(case: object) -> None:
    assert callable(case)
    layer, x = case()
    given = _calls(layer)
    with torch.no_grad():
        convolved(layer, x, TORCH)
    assert len(given) == 1


def test_the_layer_runs_itself_where_gradients_are_wanted() -> None:
    layer = _layer()
    given = _calls(layer)
    convolved(layer, _input(), TORCH).sum().backward()
    assert len(given) == 1
    assert layer.weight.grad is not None
