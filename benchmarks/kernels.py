"""How many kernels a forward pass launches: `python -m benchmarks kernels [PRESET]`.

Counted on torch's meta device, without memory or arithmetic: operations that are no views, each attention as
one kernel, as devices run it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from eadnet.modules.joined import lay_out_projections
from eadnet.modules.unet import EADUNet
from eadnet.presets import PRESETS


class FusedAttention(TorchFunctionMode):
    """Attention as one operation, with the memory layout that fused kernels give."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            query: Tensor = args[0]
            heads_last = query.transpose(1, 2)
            return torch.empty(heads_last.shape, dtype=query.dtype, device=query.device).transpose(1, 2)
        return func(*args, **(kwargs or {}))


class Kernels(TorchDispatchMode):
    """Counts operations that write something, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        schema = func._schema
        writes = any(one.alias_info is not None and one.alias_info.is_write for one in schema.arguments)
        views = any(one.alias_info is not None for one in schema.returns) and not writes
        if not views and schema.name != "aten::_unsafe_view":
            self.counts[schema.name.removeprefix("aten::")] += 1
        return made


def kernels(
    network: EADUNet, batch: int = 2, frames: int = 16, side: int = 32, laid_out: bool = True
) -> Counter[str]:
    """Of a forward pass in bfloat16; tables that are kept from call to call are made before. ``laid_out``:
    with weights of one input behind one another, as a render without a memory manager has them.
    """
    with torch.device("meta"), torch.no_grad():
        network = network.to(torch.bfloat16)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if laid_out:
            lay_out_projections(network)
        sample = torch.empty(batch, 13, frames, side, side, dtype=torch.bfloat16)
        audio = torch.empty(batch, frames, 50, network.config["cross_attention_dim"], dtype=torch.bfloat16)
        width = network.emotion_dim
        emotion = None if width is None else torch.empty(batch, 77, width, dtype=torch.bfloat16)
        steps = torch.zeros(batch)
        with FusedAttention():
            network(sample, steps, audio, emotion)
            with Kernels() as counted:
                network(sample, steps, audio, emotion)
    return counted.counts


def of_preset(name: str) -> EADUNet:
    """A preset's U-Net without memory."""
    with torch.device("meta"):
        return EADUNet.from_config(PRESETS[name].unet_config).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("preset", nargs="?", default="ead-256", choices=sorted(PRESETS))
    options = parser.parse_args()
    counts = kernels(of_preset(options.preset))
    for name, count in counts.most_common():
        print(f"{count:5d}  {name}")
    print(f"{counts.total():5d}  together")
    apart = kernels(of_preset(options.preset), laid_out=False)
    print(f"{apart.total():5d}  with queries, keys and values apart (ComfyUI's memory manager, LoRA)")


if __name__ == "__main__":
    main()
