"""The U-Net as CUDA graphs: a small network spends its time on launching kernels, not on running them.

The first step of every shape is recorded as a CUDA graph, forwards and backwards; later ones are replayed
with one launch each. `mini`'s step of 512 frames takes a H100 40 ms of work and 200 ms of launching.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .unet import EADUNet


class _Step(nn.Module):
    """The U-Net under autocast without its cache, as recording demands."""

    def __init__(self, unet: EADUNet, bf16: bool) -> None:
        super().__init__()
        self.unet, self.bf16 = unet, bf16

    def forward(self, sample: Tensor, timesteps: Tensor, audio: Tensor, emotion: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            return self.unet(sample, timesteps, audio, emotion)


class GraphedUNet:
    """The U-Net as a function that records shapes it meets while gradients are taken, and replays them.

    Weights may change between calls where they lie, as optimisers change them; which parts are switched on
    may not.
    """

    def __init__(self, unet: EADUNet, bf16: bool) -> None:
        self.unet, self.bf16 = unet, bf16
        self._recorded: dict[tuple[torch.Size, ...], nn.Module] = {}

    def __call__(self, sample: Tensor, timesteps: Tensor, audio: Tensor, emotion: Tensor) -> Tensor:
        """As `EADUNet.forward`. Without gradients nothing is recorded or replayed."""
        given = (sample, timesteps, audio, emotion)
        if not torch.is_grad_enabled():
            return _Step(self.unet, self.bf16)(*given)
        shapes = tuple(tensor.shape for tensor in given)
        if shapes not in self._recorded:
            self._recorded[shapes] = self._record(given)
        # Recorded with gradients for both conditions, so also a condition that needs none must ask for them.
        asking = (
            tensor if tensor.requires_grad else tensor.detach().requires_grad_() for tensor in given[2:]
        )
        return self._recorded[shapes](sample, timesteps, *asking).clone()

    def _record(self, given: tuple[Tensor, ...]) -> nn.Module:
        copies = tuple(tensor.detach().clone() for tensor in given)
        for condition in copies[2:]:
            condition.requires_grad_()
        step = _Step(self.unet, self.bf16)
        torch.cuda.make_graphed_callables(step, copies, allow_unused_input=True)  # changes `step` itself
        return step
