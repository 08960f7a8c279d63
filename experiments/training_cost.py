"""What a full-size training step takes, counted without a weight in memory (torch's meta device).

    python -m experiments training_cost [--preset ead-256]
    python -m experiments training_cost --run [--channels 64,128,256,256] [--cases 2]

Counted are the multiplications and additions of one forward and backward pass on one clip of 16 frames, as
`FlopCounterMode` counts them, and the bytes that lie in memory at once: weights, gradients and AdamW's two
moments of what is trained, in float32, and everything that is kept for the way back, in the precision of the
forward pass. Attention is counted as written out, as the meta device computes it: fused kernels keep
no maps of it, so a real step keeps less. With checkpointing what one stage computes again comes on top; and
always what a card's library needs beside it, and the weights of VAE and encoders.

With ``--run`` two steps of each case are really taken, in float32 and in a process of its own, and the most
memory that was held is printed beside what was counted: a card's where there is one, else the process' own
(Linux). The weights are constants: a step costs the same whatever they are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    weights = {p.untyped_storage()._cdata for p in unet.parameters()}
    # By storage: one tensor is kept as one operation's output and the next one's input, and by its views.
    kept: dict[int, int] = {}
    alive: list[torch.UntypedStorage] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights and storage._cdata not in kept:
            kept[storage._cdata] = storage.nbytes() // tensor.element_size()
            alive.append(storage)
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = unet(sample, timestep, audio, emotion)
        out.backward(torch.empty_like(out))
    total = sum(p.numel() for p in unet.parameters())
    return Cost(total, own, counter.get_total_flops(), sum(kept.values()))


def everything(name: str) -> bool:
    """All weights are trained."""
    return True


CASES = tuple(
    (title, trained, checkpointing)
    for title, trained in (("EAD's parts", is_ead_key), ("all", everything))
    for checkpointing in (False, True)
)


@dataclass(frozen=True)
class Measured:
    """Of two steps that were taken: GiB at most beside what was there before, and processor seconds."""

    memory: float
    seconds: float


def _resident(name: str) -> float:
    """GiB of this process: "VmRSS" now, or "VmHWM" at most."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 2**20
    raise OSError(f"/proc/self/status has no {name}")


def measured(config: dict, resolution: int, trained: Callable[[str], bool], checkpointing: bool) -> Measured:
    """Two steps of a U-Net on one clip, of which the second has AdamW's moments beside it from the start."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = _resident("VmRSS") if device.type == "cpu" else 0.0
    start = time.process_time()
    with torch.device("meta"):
        unet = EADUNet.from_config(config)
    unet = unet.to_empty(device=device)
    for buffer in unet.buffers():
        buffer.zero_()
    for parameter in unet.parameters():
        parameter.data.fill_(0.01 if parameter.ndim > 1 else 0.0)
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(trained(name))
    checkpoint_stages(unet, checkpointing)
    optimizer = torch.optim.AdamW([p for p in unet.parameters() if p.requires_grad])
    side, generator = resolution // 8, torch.Generator().manual_seed(0)
    sample, audio, emotion = (
        torch.randn(shape, generator=generator).to(device)
        for shape in (
            (1, 13, WINDOW, side, side),
            (1, WINDOW, TOKENS, config["cross_attention_dim"]),
            (1, TEXT, config["ead"]["emotion_dim"]),
        )
    )
    sample.requires_grad_()  # torch's GroupNorm needs it on the processor
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        unet(sample, torch.tensor([500], device=device), audio, emotion).square().mean().backward()
        optimizer.step()
    most = torch.cuda.max_memory_allocated() / GIB if device.type == "cuda" else _resident("VmHWM") - before
    return Measured(most, time.process_time() - start)


def run(config: dict, resolution: int, cases: Sequence[int]) -> None:
    """Print counted beside measured, each case by a process of its own."""
    print(
        "| trained | checkpointing | weights, M | trained, M | kept, M numbers | GiB counted | measured | |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for number in cases:
        title, trained, checkpointing = CASES[number]
        found = cost(config, resolution, trained, checkpointing)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            real = pool.apply(measured, (config, resolution, trained, checkpointing))
        print(
            f"| {title} | {'yes' if checkpointing else 'no'} | {found.weights / 1e6:.0f} | "
            f"{found.trained / 1e6:.0f} | {found.kept / 1e6:.0f} | {found.memory(4):.2f} | "
            f"{real.memory:.2f} | {real.memory / found.memory(4):.2f} |",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments training_cost", description=__doc__)
    parser.add_argument("--preset", default="ead-256")
    parser.add_argument("--run", action="store_true", help="take two steps of each case and measure memory")
    parser.add_argument("--channels", help="with --run: of the U-Net's stages, fewer than the preset's")
    parser.add_argument("--side", type=int, help="with --run: pixels, fewer than the preset's")
    parser.add_argument(
        "--cases",
        type=int,
        nargs="+",
        default=range(len(CASES)),
        help="with --run: rows, from 0",
    )
    options = parser.parse_args(arguments)
    preset = find_preset(options.preset)
    if options.run:
        config = dict(preset.unet_config)
        if options.channels:
            config["block_out_channels"] = [int(word) for word in options.channels.split(",")]
        run(config, options.side or preset.resolution, options.cases)
        return
    print(f"{preset.name}, one clip of {WINDOW} frames at {preset.resolution} pixels\n")
    head = "trained | checkpointing | weights, M | trained, M | TFLOP | kept, M numbers | GiB bf16, fp32"
    print(f"| {head} |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for title, trained, checkpointing in CASES:
        found = cost(preset.unet_config, preset.resolution, trained, checkpointing)
        print(
            f"| {title} | {'yes' if checkpointing else 'no'} | {found.weights / 1e6:.0f} | "
            f"{found.trained / 1e6:.0f} | {found.flops / 1e12:.2f} | {found.kept / 1e6:.0f} | "
            f"{found.memory(2):.1f}, {found.memory(4):.1f} |"
        )


if __name__ == "__main__":
    main()
