"""Memory used again where no gradient needs it: the same numbers, and nobody else's tensors change."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from eadnet.modules import in_place
from eadnet.modules.unet import DeepFeatures, EADUNet
from tests.tiny import UNET


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("gradients", [True, False])
def test_the_numbers_are_those_of_the_plain_formulas(gradients: bool) -> None:
    x, y = drawn(2, 3, 5), drawn(2, 3, 5, seed=1)
    with torch.set_grad_enabled(gradients):
        assert torch.equal(in_place.added(x, y.clone()), x + y)
        assert torch.equal(in_place.silu(y.clone()), F.silu(y))
        assert torch.equal(in_place.gated(x, y), x * F.gelu(y))
    assert torch.equal(x, drawn(2, 3, 5)) and torch.equal(y, drawn(2, 3, 5, seed=1))


def test_memory_is_used_again_only_without_gradients() -> None:
    x, fresh = drawn(4), drawn(4, seed=1)
    assert in_place.added(x, fresh).data_ptr() != fresh.data_ptr()
    with torch.no_grad():
        assert in_place.added(x, fresh).data_ptr() == fresh.data_ptr()


def test_a_sum_of_two_types_has_the_wider_one() -> None:
    with torch.no_grad():
        assert in_place.added(drawn(4), drawn(4).half()).dtype == torch.float32


def test_a_network_leaves_its_inputs_and_kept_features_alone() -> None:
    unet = EADUNet.from_config(UNET).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    given = drawn(2, 13, 3, 4, 4), torch.tensor([500, 400]), drawn(2, 3, 5, 8), drawn(2, 7, 12)
    before = [value.clone() for value in given]
    with torch.enable_grad():
        expected = unet(*given).detach()
    deep = DeepFeatures()
    with torch.no_grad():
        torch.testing.assert_close(unet(*given, deep=deep), expected, atol=1e-6, rtol=1e-5)
        assert deep.features is not None
        features = deep.features.clone()
        again = unet(*given, deep=deep)
        assert torch.equal(unet(*given, deep=deep), again)
    torch.testing.assert_close(again, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(deep.features, features)
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
