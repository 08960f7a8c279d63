"""Nodes that load weights."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.adapters import apply_adapter, read_adapter_info
from ..eadnet.checkpoints import Checkpoint, load_checkpoint, read_info
from ..eadnet.convert import latentsync_preset, preset_from_name
from ..eadnet.downloads import LATENTSYNC_UNET, WHISPER_TINY
from ..eadnet.driving.motion import PRESET as MOTION
from ..eadnet.driving.motion import MotionModel
from ..eadnet.driving.sync import MotionSyncNet
from ..eadnet.errors import CheckpointError
from ..eadnet.printable import get_logger
from . import host
from .checks import checked, problems, widgets_problem
from .node import Node
from .types import (
    AudioEncoder,
    DiffusionModel,
    FileChoice,
    GraphSmoother,
    Model,
    ModelInfo,
    Smoother,
    SyncNet,
    TextEncoder,
    schema,
)

logger = get_logger(__name__)

AUTO = "auto"
_VERSIONS = ("latentsync-1.6", "latentsync-1.5")

_SD_VAE = "ComfyUI's Load VAE with the Stable Diffusion 1.5 VAE (vae-ft-mse-840000-ema-pruned.safetensors)"

# What to do when a checkpoint has no such component.
_ADVICE = {
    "unet": ("U-Net", "choose a checkpoint that has one"),
    "vae": ("VAE", f"connect {_SD_VAE} instead"),
    "audio_encoder": ("audio encoder", "connect the one of EAD-Net Load LatentSync or of another checkpoint"),
    "text_encoder": (
        "text encoder",
        "leave the sampler's emotion input unconnected, or choose another EAD-Net checkpoint",
    ),
    "tfrm": ("TFRM", "remove EAD-Net TFRM Smoother, or connect the TFRM of another checkpoint"),
    "syncnet": ("SyncNet", "choose a checkpoint that has one"),
}


def _missing(component: str, file: str) -> str:
    name, advice = _ADVICE[component]
    return f"The checkpoint {file} has no {name}: {advice}."


def _is_motion(info: ModelInfo, present: Collection[str]) -> bool:
    """Whether a file is a whole model of motion, which can judge sync, too."""
    return info.preset == MOTION and {"unet", "codec", "audio_encoder", "text_encoder"} <= set(present)


def _weight_dtype() -> Any:
    """As in core's Load Diffusion Model."""
    return io.Combo.Input(
        "weight_dtype",
        options=[host.DEFAULT, *host.EIGHT_BITS],
        default=host.DEFAULT,
        optional=True,  # workflows saved before it existed lack it
        tooltip="In which type the U-Net's weights are kept (weight_dtype in core's Load Diffusion Model). "
        "fp8 takes half the memory of 16 bits and costs a little quality. default: as ComfyUI chooses.",
    )


class EADNetCheckpointLoader(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetCheckpointLoader",
            display_name="EAD-Net Load Checkpoint",
            description="Loads an EAD-Net checkpoint: model, audio encoder, text encoder, VAE, TFRM and "
            "SyncNet. Two come with the node pack: motion and mini.",
            search_aliases=["talking head", "lip sync", "lipsync", "load eadnet", "EAD-Net loader"],
            inputs=[
                FileChoice(
                    "checkpoint",
                    options=host.checkpoint_names(),
                    default=host.BUNDLED,
                    tooltip="A .safetensors file in models/eadnet, or a bundled one: motion moves portraits "
                    "and videos, mini generates drawn heads.",
                ),
                _weight_dtype(),
            ],
            outputs=[
                Model.Output(
                    display_name="model",
                    tooltip="The U-Net, for EAD-Net Prepare Face and EAD-Net Lip Sync Sampler.",
                ),
                AudioEncoder.Output(display_name="audio_encoder", tooltip="For EAD-Net Encode Audio."),
                TextEncoder.Output(
                    display_name="text_encoder",
                    tooltip="For EAD-Net Encode Emotion and EAD-Net Emotion Timeline.",
                ),
                io.Vae.Output(
                    display_name="vae",
                    tooltip="For EAD-Net Prepare Face and ComfyUI's VAE Decode.",
                ),
                Smoother.Output(display_name="tfrm", tooltip="Temporal smoother, for EAD-Net TFRM Smoother."),
                SyncNet.Output(
                    display_name="syncnet",
                    tooltip="Lip-sync scorer, for EAD-Net Lip Sync Score, if the file has one.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        return host.file_problem("checkpoint", checkpoint) or True

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str, weight_dtype: str = host.DEFAULT) -> str:
        return f"{host.fingerprint(checkpoint)} {weight_dtype}"

    @classmethod
    @checked
    def execute(cls, checkpoint: str, weight_dtype: str = host.DEFAULT) -> io.NodeOutput:
        path = host.checkpoint_path(checkpoint)
        present = read_info(path)["components"].keys() & {*_ADVICE, "codec"}
        loaded = load_checkpoint(path, only=present - {"unet"})
        parts: dict[str, Any] = {
            name: host.Held(loaded.components[name])
            if name in loaded.components
            else host.Missing(_missing(name, checkpoint))
            for name in _ADVICE
        }
        info = ModelInfo.of(loaded)
        if _is_motion(info, present):
            parts["syncnet"] = host.Held(MotionSyncNet(MotionModel.load(path), host.face_task_path))
        if "unet" in present:
            parts["unet"] = _held(info, *_unet(path, weight_dtype))
        autoencoder = loaded.components.get("vae")
        vae = (
            host.MissingVAE(_missing("vae", checkpoint)) if autoencoder is None else host.HeldVAE(autoencoder)
        )
        logger.info("EAD-Net loaded %s: %s, %d pixels.", checkpoint, info.preset, info.resolution)
        return io.NodeOutput(
            DiffusionModel(parts["unet"], info, autoencoder),
            parts["audio_encoder"],
            parts["text_encoder"],
            vae,
            GraphSmoother(parts["tfrm"], info.latent_scale),
            parts["syncnet"],
        )


class EADNetLatentSyncLoader(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetLatentSyncLoader",
            display_name="EAD-Net Load LatentSync",
            description="Loads the public LatentSync weights as they are downloaded, and optionally an "
            "EAD-Net adapter for them. A .pt file is converted once, without running code from it.",
            search_aliases=["LatentSync", "lip sync", "lipsync", "wav2lip"],
            inputs=[
                FileChoice(
                    "unet",
                    options=host.weights_names(["unet"], f"put {LATENTSYNC_UNET.file} into models/eadnet"),
                    tooltip="The U-Net of LatentSync 1.5 (256 pixels) or 1.6 (512), in models/eadnet: "
                    f"{LATENTSYNC_UNET.file}, or what it was converted to.",
                ),
                FileChoice(
                    "whisper",
                    options=host.weights_names(
                        ["whisper", "tiny"], f"put {WHISPER_TINY.file} into models/eadnet"
                    ),
                    tooltip=f"Whisper tiny, in models/eadnet: {WHISPER_TINY.file}, or what it was converted "
                    "to. Larger Whisper models do not fit.",
                ),
                FileChoice(
                    "adapter",
                    options=[host.NONE, *host.user_file_names("adapter")],
                    default=host.NONE,
                    tooltip="EAD-Net weights (emotion attention, STDA) trained for this U-Net. none gives "
                    "plain LatentSync.",
                ),
                io.Combo.Input(
                    "version",
                    options=[AUTO, *_VERSIONS],
                    default=AUTO,
                    optional=True,  # workflows saved before it existed lack it
                    tooltip="Which LatentSync a .pt file is, as the file does not say. auto: as its name or "
                    "folder says.",
                ),
                _weight_dtype(),
            ],
            outputs=[
                Model.Output(
                    display_name="model",
                    tooltip="The U-Net, for EAD-Net Prepare Face and EAD-Net Lip Sync Sampler.",
                ),
                AudioEncoder.Output(display_name="audio_encoder", tooltip="For EAD-Net Encode Audio."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(
        cls,
        unet: str | None,
        whisper: str | None = None,
        adapter: str | None = None,
        version: str | None = None,
    ) -> bool | str:
        said = [widgets_problem(cls, version=version)]
        for name, chosen, source in (("unet", unet, LATENTSYNC_UNET), ("whisper", whisper, WHISPER_TINY)):
            if problem := host.file_problem(name, chosen):
                said.append(f"{problem} {source.file} is at {source.url}.")
        said.append(None if adapter == host.NONE else host.file_problem("adapter", adapter))
        if not any(said) and unet and version:
            said.append(problems([lambda: _preset(unet, version)]))
        return " ".join(filter(None, said)) or True

    @classmethod
    def fingerprint_inputs(
        cls,
        unet: str,
        whisper: str,
        adapter: str,
        version: str = AUTO,
        weight_dtype: str = host.DEFAULT,
    ) -> str:
        names = [host.fingerprint(name) for name in (unet, whisper, adapter) if name != host.NONE]
        return " ".join([*names, version, weight_dtype])

    @classmethod
    @checked
    def execute(
        cls,
        unet: str,
        whisper: str,
        adapter: str,
        version: str = AUTO,
        weight_dtype: str = host.DEFAULT,
    ) -> io.NodeOutput:
        unet_path = host.weights_path(unet, _preset(unet, version), cls.hidden.unique_id)
        whisper_path = host.weights_path(whisper, None, cls.hidden.unique_id)
        # Small files first: what does not fit together is found before gigabytes are read.
        encoder = load_checkpoint(whisper_path, only={"audio_encoder"}).component("audio_encoder")
        _check_fit(read_info(unet_path), unet, encoder, whisper)
        if adapter != host.NONE:
            read_adapter_info(host.checkpoint_path(adapter), read_info(unet_path))
        loaded, types = _unet(unet_path, weight_dtype)
        if adapter != host.NONE:
            network = loaded.component("unet")
            loaded.components["unet"] = apply_adapter(
                network, host.checkpoint_path(adapter), loaded.info, types.build
            )
        info = ModelInfo.of(loaded)
        logger.info("EAD-Net loaded %s: %s, %d pixels.", unet, info.preset, info.resolution)
        return io.NodeOutput(DiffusionModel(_held(info, loaded, types), info), host.Held(encoder))


def _unet(path: Path, weight_dtype: str) -> tuple[Checkpoint, host.UNetTypes]:
    """A checkpoint with its U-Net alone, of ComfyUI's layers."""
    types = host.UNetTypes(path.stat().st_size // 2, weight_dtype)
    loaded = load_checkpoint(
        path, only={"unet"}, dtype=types.rest, matrices=types.stored, build={"unet": types.build}
    )
    return loaded, types


def _held(info: ModelInfo, loaded: Checkpoint, types: host.UNetTypes) -> host.HeldUNet:
    logger.debug("EAD-Net's U-Net is stored as %s and computes in %s.", types.stored, types.computed)
    return host.HeldUNet(loaded.component("unet"), info.scheduler_config, info.latent_scale, info.latent_rgb)


def _preset(unet: str, version: str) -> str | None:
    """The preset of a published U-Net; None for a checkpoint, which has it in its header. Raises
    CheckpointError where nothing says it.
    """
    path = host.checkpoint_path(unet)
    if path.suffix == ".safetensors":
        return None
    stated = preset_from_name(path)
    if version == AUTO and stated is None:
        raise CheckpointError(
            f"{unet} may be LatentSync 1.5 (256 pixels) or 1.6 (512), which the file does not say: choose it "
            "at version."
        )
    return latentsync_preset(path, None if version == AUTO else version).name


def _check_fit(unet_info: dict[str, Any], unet: str, encoder: torch.nn.Module, whisper: str) -> None:
    """Raise CheckpointError when the audio encoder's tokens are not those the U-Net was trained on."""
    if "unet" not in unet_info["components"]:
        raise CheckpointError(f"{unet} has no U-Net: choose a converted LatentSync U-Net.")
    wanted = unet_info["components"]["unet"]["config"]["cross_attention_dim"]
    config: dict[str, Any] = encoder.config  # type: ignore[assignment]
    width = config.get("n_audio_state", config.get("dim"))
    if width != wanted:
        raise CheckpointError(
            f"{whisper} gives tokens of width {width} and {unet} needs {wanted}: choose Whisper tiny (width "
            "384)."
        )
