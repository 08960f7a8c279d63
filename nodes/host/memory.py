"""Networks in the care of ComfyUI's memory manager: devices, number types, room to work in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import comfy.model_patcher
import torch
from comfy import model_management
from torch import nn

from ...eadnet.errors import InputError

_DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def unet_dtype(parameters: int) -> torch.dtype:
    """The type to compute a U-Net of this size in, here, with ComfyUI's --fp16-unet and similar options."""
    device = model_management.get_torch_device()
    dtype = model_management.unet_dtype(device=device, model_params=parameters, supported_dtypes=_DTYPES)
    if dtype not in _DTYPES:  # 8-bit weights need ComfyUI's own layers
        dtype = torch.float16
    # ComfyUI may store weights in a type the device cannot compute in; plain layers cannot cast on the fly.
    return model_management.unet_manual_cast(dtype, device, _DTYPES) or dtype


# Bytes that a network needs beside its weights, given the network.
MemoryEstimate = Callable[[Any], float]


class Network(Protocol):
    """A network that is fetched when it is needed."""

    def use(self, needs: MemoryEstimate | None = None) -> Any: ...

    def get_ram_usage(self) -> int: ...


class Held:
    """A network in the care of ComfyUI's memory manager, on the device while it is used and there is room."""

    def __init__(self, module: nn.Module, offload_device: torch.device | None = None) -> None:
        module = module.eval().requires_grad_(False)
        self.patcher = comfy.model_patcher.ModelPatcher(
            module,
            load_device=model_management.get_torch_device(),
            offload_device=offload_device or model_management.unet_offload_device(),
        )

    def use(self, needs: MemoryEstimate | None = None) -> Any:
        """The module on its device, with the bytes it `needs` kept free beside it."""
        module = self.patcher.model
        room = 0 if needs is None else needs(module)
        # In full: loading by parts needs layers of ComfyUI's that fetch their weights when they run.
        model_management.load_models_gpu([self.patcher], memory_required=room, force_full_load=True)
        return module.to(self.patcher.load_device)

    def get_ram_usage(self) -> int:
        return self.patcher.model_size()


class OnDemand(nn.Module):
    """A network that is fetched whenever it is called, because others may have taken its place meanwhile.

    It has no parameters of its own: `device` says where it computes.
    """

    def __init__(self, network: Network, needs: MemoryEstimate | None = None) -> None:
        super().__init__()
        self._network, self._needs = network, needs
        self._module: Any = None
        self.fetch()

    def fetch(self) -> Any:
        object.__setattr__(self, "_module", self._network.use(self._needs))
        return self._module

    def forward(self, *values: Any, **settings: Any) -> Any:
        return self.fetch()(*values, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)


def compute_device() -> torch.device:
    """Where networks run."""
    return model_management.get_torch_device()


def result_device() -> torch.device:
    """Where ComfyUI keeps what travels between nodes."""
    return model_management.intermediate_device()


class Missing:
    """Stands in for a part that a checkpoint lacks. Harmless until it is used."""

    def __init__(self, message: str) -> None:
        self._message = message

    def use(self, needs: MemoryEstimate | None = None) -> Any:
        raise InputError(self._message)

    def get_ram_usage(self) -> int:
        return 0
