"""What a full-size training step takes, counted without a weight in memory (torch's meta device).

    python -m experiments training_cost [--preset ead-256]

Counted are the multiplications and additions of one forward and backward pass on one clip of 16 frames, as
`FlopCounterMode` counts them, and the bytes that lie in memory at once: weights, gradients and AdamW's two
moments of what is trained, in float32, and everything that is kept for the way back, in the precision of the
forward pass. With checkpointing what one stage computes again comes on top; and always what a card's library
needs beside it, and the weights of VAE and encoders.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from eadnet.adapters import is_ead_key
from eadnet.modules.blocks import checkpoint_stages
from eadnet.modules.unet import EADUNet
from eadnet.presets import find_preset

GIB = 2**30
WINDOW, TOKENS, TEXT = 16, 50, 77


@dataclass(frozen=True)
class Cost:
    """Of one step: weights in all, those trained, operations, and bytes kept for the way back."""

    weights: int
    trained: int
    flops: int
    kept: int

    def memory(self, element: int) -> float:
        """GiB with a forward pass in numbers of so many bytes; of fewer than 4, of weights copied, too."""
        copies = element * self.weights if element < 4 else 0
        return (4 * self.weights + copies + 12 * self.trained + element * self.kept) / GIB


def cost(config: dict, resolution: int, trained: Callable[[str], bool], checkpointing: bool) -> Cost:
    """Of a U-Net on one clip."""
    with torch.device("meta"):
        unet = EADUNet.from_config(config)
        side = resolution // 8
        sample = torch.empty(1, 13, WINDOW, side, side)
        audio = torch.empty(1, WINDOW, TOKENS, config["cross_attention_dim"])
        emotion = torch.empty(1, TEXT, config["ead"]["emotion_dim"])
        timestep = torch.zeros(1)
    own = 0
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(trained(name))
        own += parameter.numel() if trained(name) else 0
    checkpoint_stages(unet, checkpointing)
    weights = {id(p) for p in unet.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if id(tensor) not in weights and tensor._base is None:
            kept[id(tensor)] = tensor.numel()
            alive.append(tensor)
        elif tensor._base is not None and id(tensor._base) not in weights:
            kept[id(tensor._base)] = tensor._base.numel()
            alive.append(tensor._base)
        return tensor

    alive: list[Tensor] = []
    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = unet(sample, timestep, audio, emotion)
        out.backward(torch.empty_like(out))
    total = sum(p.numel() for p in unet.parameters())
    return Cost(total, own, counter.get_total_flops(), sum(kept.values()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments training_cost", description=__doc__)
    parser.add_argument("--preset", default="ead-256")
    options = parser.parse_args(arguments)
    preset = find_preset(options.preset)
    print(f"{preset.name}, one clip of {WINDOW} frames at {preset.resolution} pixels\n")
    head = "trained | checkpointing | weights, M | trained, M | TFLOP | kept, M numbers | GiB bf16, fp32"
    print(f"| {head} |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for title, trained in (("EAD's parts", is_ead_key), ("all", lambda name: True)):
        for checkpointing in (False, True):
            found = cost(preset.unet_config, preset.resolution, trained, checkpointing)
            print(
                f"| {title} | {'yes' if checkpointing else 'no'} | {found.weights / 1e6:.0f} | "
                f"{found.trained / 1e6:.0f} | {found.flops / 1e12:.2f} | {found.kept / 1e6:.0f} | "
                f"{found.memory(2):.1f}, {found.memory(4):.1f} |"
            )


if __name__ == "__main__":
    main()
