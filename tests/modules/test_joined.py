"""Layers of one input as one product: the same numbers, and three layers for everybody else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from eadnet.modules.attention import Attention
from eadnet.modules.emotion_attention import EmotionAttention
from eadnet.modules.joined import lay_out, lay_out_projections, products
from eadnet.modules.motion import TemporalAttention


def three(width: int = 8) -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(width, 6, bias=False) for _ in range(3)]


class Products(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "mm" in func._schema.name
        return func(*args, **(kwargs or {}))


@contextmanager
def counted(expected: int) -> Iterator[None]:
    with torch.no_grad(), Products() as seen:
        yield
    assert seen.count == expected


def close(made: list[Tensor], expected: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(made, expected, strict=True))


def test_they_are_one_product_with_the_same_numbers_once_they_are_laid_out() -> None:
    layers, x = three(), torch.randn(2, 5, 8)
    with counted(3):
        expected = list(products(layers, x))
    before = [layer.weight.clone() for layer in layers]
    lay_out(layers)
    assert all(torch.equal(a, layer.weight) for a, layer in zip(before, layers, strict=True))
    with counted(1):
        made = list(products(layers, x))
    assert all(torch.equal(a, b) for a, b in zip(made, expected, strict=True))


def test_layers_of_other_widths_stay_as_they_are() -> None:
    layers = [nn.Linear(8, 6, bias=False), nn.Linear(8, 4, bias=False)]
    places = [layer.weight.data_ptr() for layer in layers]
    lay_out(layers)
    assert places == [layer.weight.data_ptr() for layer in layers]


def test_laying_out_twice_moves_nothing() -> None:
    layers = three()
    lay_out(layers)
    places = [layer.weight.data_ptr() for layer in layers]
    lay_out(layers)
    assert places == [layer.weight.data_ptr() for layer in layers]


def replaced(layers: list[nn.Linear]) -> None:
    layers[1].weight = nn.Parameter(layers[1].weight.detach() * 2)


def moved(layers: list[nn.Linear]) -> None:
    layers[0].to(torch.float64).to(torch.float32)


def overridden(layers: list[nn.Linear]) -> None:
    forward = layers[1].forward
    layers[1].forward = lambda x: forward(x) * 2  # type: ignore[method-assign, assignment]


def hooked(layers: list[nn.Linear]) -> None:
    layers[2].register_forward_hook(lambda module, given, made: made + 1)


def wrapped(layers: list[nn.Linear]) -> None:
    class Patched(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 3

    layers[0].__class__ = Patched


@pytest.mark.parametrize("change", [replaced, moved, overridden, hooked, wrapped])
def test_whoever_changes_one_of_them_is_heeded(change) -> None:
    """As LoRA, memory managers and quantisers do."""
    layers, x = three(), torch.randn(2, 8)
    lay_out(layers)
    change(layers)
    with counted(3):
        made = list(products(layers, x))
    with torch.no_grad():
        assert close(made, [layer(x) for layer in layers])


def test_a_weight_that_is_changed_where_it_lies_counts() -> None:
    layers, x = three(), torch.randn(2, 8)
    lay_out(layers)
    layers[1].weight.data.mul_(2)
    with counted(1):
        made = list(products(layers, x))
    with torch.no_grad():
        assert close(made, [layer(x) for layer in layers])


def test_with_gradients_each_weight_gets_its_own() -> None:
    layers, x = three(), torch.randn(2, 8)
    lay_out(layers)
    torch.stack([part.square().sum() for part in products(layers, x)]).sum().backward()
    assert all(layer.weight.grad is not None and layer.weight.grad.any() for layer in layers)


def test_layers_of_two_types_stay_as_they_are() -> None:
    layers = three()
    layers[1].half()
    lay_out(layers)
    assert [layer.weight.dtype for layer in layers] == [torch.float32, torch.float16, torch.float32]


def test_saved_and_copied_they_are_three_weights(tmp_path: Path) -> None:
    attention = Attention(16, 2)
    lay_out(attention.of_one_input)
    save_file(attention.state_dict(), tmp_path / "a.safetensors")
    stored = load_file(tmp_path / "a.safetensors")
    assert set(stored) == set(attention.state_dict())
    assert all(torch.equal(stored[key], value) for key, value in attention.state_dict().items())
    other = copy.deepcopy(attention)
    with torch.no_grad():
        other.to_q.weight.zero_()
    assert attention.to_q.weight.all()


@pytest.mark.parametrize(
    ("make", "given", "saved"),
    [
        (lambda: Attention(16, 2), (torch.randn(3, 5, 16),), 2),
        (lambda: Attention(16, 2, 12), (torch.randn(3, 5, 16), torch.randn(3, 7, 12)), 1),
        (lambda: TemporalAttention(16, 2, 8), (torch.randn(1, 4, 6, 16),), 2),
        (lambda: EmotionAttention(16, 2, 12), (torch.randn(4, 6, 16), torch.randn(1, 7, 12)), 1),
    ],
)
def test_every_attention_makes_fewer_products(make, given, saved) -> None:
    torch.manual_seed(0)
    attention = make().eval()
    nn.init.normal_(
        getattr(attention, "to_out", [None])[0].weight
        if isinstance(attention, Attention)
        else attention.to_out.weight
    )
    with torch.no_grad(), Products() as before:
        expected = attention(*given)
    lay_out(attention.of_one_input)
    with torch.no_grad(), Products() as after:
        made = attention(*given)
    assert before.count - after.count == saved
    assert torch.equal(made, expected)


def test_on_the_processor_weights_stay_where_they_are() -> None:
    """One product takes as long as three there, and a file's weights are mapped."""
    attention = Attention(16, 2)
    place = attention.to_k.weight.data_ptr()
    lay_out_projections(nn.Sequential(attention))
    assert attention.to_k.weight.data_ptr() == place
