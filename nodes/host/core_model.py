"""Core's MODEL of our U-Net: its noise schedule, its conditions, its memory, its weights in core's care."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.conds
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models_base
import torch
from comfy import model_management
from torch import Tensor

from ...eadnet.errors import InputError
from ...eadnet.rendering.memory import unet_memory
from .core_unet import CoreUNet
from .progress import latent_format

# Our key in the options of a CONDITIONING: what the network sees beside the sound.
FACES = "eadnet_faces"

_TYPES = {
    "epsilon": comfy.model_base.ModelType.EPS,
    "v_prediction": comfy.model_base.ModelType.V_PREDICTION,
}


class _Frames(comfy.conds.CONDRegular):
    """One entry for each frame, or one for all; nothing is repeated or cut to the batch."""

    def process_cond(self, batch_size: int, **settings: Any) -> _Frames:
        kept: _Frames = self._copy_with(self.cond)
        return kept


class _OwnConfig(dict[str, Any]):
    """What core knows of the network, which is not Stable Diffusion's."""

    def __missing__(self, key: str) -> Any:
        raise InputError(
            "This node changes blocks of Stable Diffusion's own U-Net, which the EAD-Net MODEL has not: "
            f"leave it out (it asked for {key})."
        )


class _Config(comfy.supported_models_base.BASE):
    """What `BaseModel` asks of a model's kind. The network is handed over ready."""

    unet_config = {"disable_unet_model_creation": True}  # noqa: RUF012 (as in the base class)

    def __init__(self, scheduler: Mapping[str, Any], format_: Any) -> None:
        super().__init__(self.unet_config)
        self.unet_config = _OwnConfig(self.unet_config)
        self.latent_format = format_
        if scheduler.get("beta_schedule") == "scaled_linear":  # core's "linear" is diffusers' "scaled_linear"
            self.sampling_settings = {
                "beta_schedule": "linear",
                "linear_start": scheduler["beta_start"],
                "linear_end": scheduler["beta_end"],
                "timesteps": scheduler.get("num_train_timesteps", 1000),
                "zsnr": bool(scheduler.get("rescale_betas_zero_snr", False)),
            }


def _foreign(scheduler: Mapping[str, Any]) -> str | None:
    """What core's samplers have no like of; None where they have."""
    for key, known in (("prediction_type", list(_TYPES)), ("beta_schedule", ["scaled_linear"])):
        value = scheduler.get(key, known[0])
        if value not in known:
            return f"{key} = {value}"
    return None


class CoreModel(comfy.model_base.BaseModel):
    """``diffusion_model`` is the U-Net under its own names, so that LoRA find its layers; ``foreign`` says
    what of its training core's samplers do not know.
    """

    def __init__(
        self,
        unet: CoreUNet,
        scheduler: Mapping[str, Any],
        latent_scale: float,
        latent_rgb: Sequence[Sequence[float]] | None,
    ) -> None:
        config = _Config(scheduler, latent_format(latent_rgb, latent_scale))
        config.set_inference_dtype(unet.dtype, unet.compute_dtype)
        self.foreign = _foreign(scheduler)
        kind = _TYPES.get(scheduler.get("prediction_type", "epsilon"), comfy.model_base.ModelType.EPS)
        super().__init__(config, kind, device=model_management.unet_offload_device())
        self.diffusion_model = unet

    def extra_conds(self, **given: Any) -> dict[str, Any]:
        """What a CONDITIONING holds, as `CoreUNet` takes it."""
        faces, tokens, noise = given.get(FACES), given.get("cross_attn"), given["noise"]
        if not isinstance(faces, Mapping) or not isinstance(tokens, Tensor):
            raise InputError(
                "This CONDITIONING is not for a talking head: connect those of EAD-Net Apply Conditioning."
            )
        planes = faces["planes"]
        if len(noise) != len(planes) or noise.shape[-2:] != planes.shape[-2:]:
            raise InputError(
                f"The latents are {len(noise)} frames of {list(noise.shape[-2:])} and the conditioning is "
                f"for {len(planes)} of {list(planes.shape[-2:])}: connect the latent of EAD-Net Apply "
                "Conditioning."
            )
        device = given["device"]
        conditions = {"planes": _Frames(planes.to(device)), "frame_tokens": _Frames(tokens.to(device))}
        if faces["emotion"] is not None:
            conditions["emotion"] = _Frames(faces["emotion"].to(device))
        return conditions

    def memory_required(self, input_shape: Sequence[int], cond_shapes: Any = None) -> float:
        """Bytes for a batch of so many frames; core puts as many conditionings into one as fit."""
        return unet_memory(self.diffusion_model, input_shape[0], max(input_shape[-2:]))


class _Checked:
    """A ModelPatcher that refuses a LoRA of another model, in a sentence."""

    model: CoreModel

    def add_patches(self, patches: Mapping[Any, Any], *strengths: Any, **settings: Any) -> Any:
        _check_patches(self.model, patches)
        return super().add_patches(patches, *strengths, **settings)  # type: ignore[misc]


@functools.cache
def _patcher_class(base: type) -> Any:
    return type("EADPatcher", (_Checked, base), {})


def patcher_of(model: CoreModel) -> Any:
    """The model in the care of ComfyUI's memory manager: loaded by parts where it does not fit."""
    device = model_management.get_torch_device()
    base: Any = comfy.model_patcher.ModelPatcher
    if not model_management.is_device_cpu(device):  # cores with dynamic video memory have a class for it
        base = getattr(comfy.model_patcher, "CoreModelPatcher", base)
    return _patcher_class(base)(
        model, load_device=device, offload_device=model_management.unet_offload_device()
    )


def _check_patches(model: CoreModel, patches: Mapping[Any, Any]) -> None:
    weights = model.state_dict()
    fitting = 0
    for name, patch in patches.items():
        key = name if isinstance(name, str) else name[0]
        if key not in weights:
            continue
        wrong = None if not isinstance(name, str) else _misfit(patch, weights[key])
        if wrong is not None:
            raise InputError(
                f"This LoRA is of another model: it has {wrong} for {key.removeprefix('diffusion_model.')}, "
                f"which is {list(weights[key].shape)}. Choose one that was trained for this model."
            )
        fitting += 1
    if not fitting:
        raise InputError(
            "This LoRA is of another model: it has no layer of this one. Choose one that was trained for "
            "this model."
        )


def _misfit(patch: Any, weight: Tensor) -> str | None:
    """What does not fit in a plain low-rank pair; None where it does, or where it is something else."""
    parts = getattr(patch, "weights", None)
    if getattr(patch, "name", None) != "lora" or not isinstance(parts, (tuple, list)) or len(parts) < 2:
        return None
    up, down = parts[0], parts[1]
    if not isinstance(up, torch.Tensor) or not isinstance(down, torch.Tensor):
        return None
    inputs = weight[0].numel()
    if up.shape[0] == weight.shape[0] and (
        down[0].numel() == inputs or len(parts) > 3 and parts[3] is not None
    ):
        return None
    return f"{up.shape[0]} outputs of {down[0].numel()} inputs"
