"""Networks in the care of ComfyUI's memory manager: devices, number types, room to work in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import comfy.model_patcher
import torch
from comfy import model_management
from torch import nn

from ...eadnet.errors import InputError
from .core_model import CoreModel, patcher_of
from .core_unet import CoreUNet
from .operations import operations_for

_DTYPES = [torch.float16, torch.bfloat16, torch.float32]
DEFAULT = "default"
# Types that a U-Net's weights may be stored in whatever ComfyUI would choose, by their names in its loaders.
EIGHT_BITS = {"fp8_e4m3fn": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}


class UNetTypes:
    """In which types a U-Net of so many weights is stored and computes, here, with ComfyUI's --fp16-unet and
    similar options; ``weight_dtype`` is `DEFAULT` or one of `EIGHT_BITS`.
    """

    def __init__(self, parameters: int, weight_dtype: str = DEFAULT) -> None:
        device = model_management.get_torch_device()
        chosen = model_management.unet_dtype(device=device, model_params=parameters, supported_dtypes=_DTYPES)
        stored = EIGHT_BITS.get(weight_dtype, chosen)
        if stored.itemsize > 4:
            stored = torch.float32
        self.stored: torch.dtype = stored
        self.computed: torch.dtype = model_management.unet_manual_cast(stored, device, _DTYPES) or stored

    @property
    def rest(self) -> torch.dtype:
        """The type of what is no matrix: norms, biases and tables are small, and eight bits too few."""
        return self.computed if self.stored.itemsize == 1 else self.stored

    def build(self, config: Mapping[str, Any]) -> CoreUNet:
        """The U-Net of ComfyUI's layers."""
        unet = CoreUNet(config, operations_for(self.stored, self.computed))
        unet.dtype, unet.compute_dtype = self.stored, self.computed
        return unet


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


class HeldUNet(Held):
    """A U-Net that is loaded by parts where it does not fit, and is core's MODEL, too."""

    def __init__(
        self,
        unet: CoreUNet,
        scheduler: Mapping[str, Any],
        latent_scale: float,
        latent_rgb: Sequence[Sequence[float]] | None,
    ) -> None:
        self._unet = unet.eval().requires_grad_(False)
        self.patcher = patcher_of(CoreModel(unet, scheduler, latent_scale, latent_rgb))

    def use(self, needs: MemoryEstimate | None = None) -> CoreUNet:
        """The U-Net, with the bytes it `needs` kept free; its layers fetch what is not on the device."""
        self._unet.compute_device = self.patcher.load_device
        room = 0 if needs is None else needs(self._unet)
        model_management.load_models_gpu([self.patcher], memory_required=room)
        return self._unet


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
