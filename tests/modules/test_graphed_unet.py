"""A replayed U-Net computes what it computes when it is launched kernel by kernel. Needs a GPU."""

from __future__ import annotations

import pytest
import torch

from eadnet.modules.graphed_unet import GraphedUNet
from eadnet.modules.unet import EADUNet
from eadnet.presets import PRESETS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def conditions(seed: int, frames: int = 16, count: int = 2) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(seed)
    sample = torch.randn(count, 13, frames, 12, 12, device="cuda")
    audio = torch.randn(count, frames, 10, 64, device="cuda", requires_grad=True)
    emotion = torch.randn(count, frames, 32, 96, device="cuda", requires_grad=True)
    return sample, torch.randint(0, 1000, (count,), device="cuda"), audio, emotion


def outputs_and_gradients(unet, function, given) -> tuple[torch.Tensor, list[torch.Tensor]]:
    unet.zero_grad(set_to_none=True)
    for tensor in given[2:]:
        tensor.grad = None
    made = function(*given)
    made.float().square().mean().backward()
    wanted = [p.grad.clone() for p in unet.parameters() if p.grad is not None]
    return made.detach().clone(), [*wanted, *(tensor.grad.clone() for tensor in given[2:])]


@pytest.mark.parametrize("bf16", [False, True])
def test_outputs_and_gradients_are_those_of_the_network_after_its_weights_changed(bf16: bool) -> None:
    torch.manual_seed(0)
    unet = EADUNet.from_config(PRESETS["mini"].unet_config).cuda().train()
    with torch.no_grad():
        for weight in unet.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    replayed = GraphedUNet(unet, bf16)
    for seed, frames in ((0, 16), (1, 4), (2, 16), (3, 4)):
        given = conditions(seed, frames)
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            plain, plain_gradients = outputs_and_gradients(unet, unet, given)
        made, gradients = outputs_and_gradients(unet, replayed, given)
        bound = 0.02 if bf16 else 1e-3
        assert float((made - plain).norm() / plain.norm()) < bound
        norm = torch.stack([g.norm() for g in plain_gradients]).norm()
        apart = torch.stack([(a - b).norm() for a, b in zip(gradients, plain_gradients, strict=True)]).norm()
        assert float(apart / norm) < bound
        with torch.no_grad():
            for weight in unet.parameters():
                weight.add_(0.01 * torch.randn_like(weight))


def test_without_gradients_any_shape_is_computed_as_ever() -> None:
    torch.manual_seed(0)
    unet = EADUNet.from_config(PRESETS["mini"].unet_config).cuda().eval()
    given = conditions(0, frames=7, count=3)
    with torch.no_grad():
        assert torch.allclose(GraphedUNet(unet, False)(*given), unet(*given), atol=1e-5)
