"""Nodes that load weights."""

from __future__ import annotations

import logging
from typing import Any

import torch
from comfy_api.latest import io

from ..eadnet.adapters import apply_adapter, read_adapter_info
from ..eadnet.checkpoints import load_checkpoint, read_info
from ..eadnet.errors import CheckpointError
from . import host
from .types import (
    AudioEncoder,
    Denoiser,
    GraphSmoother,
    Model,
    ModelInfo,
    Smoother,
    SyncNet,
    TextEncoder,
    schema,
)

logger = logging.getLogger(__name__)

_SD_VAE = (
    "ComfyUI's Load VAE with the Stable Diffusion 1.5 autoencoder (vae-ft-mse-840000-ema-pruned.safetensors)"
)

# What to do when a checkpoint lacks a part, by component name.
_ADVICE = {
    "unet": ("denoiser", "choose a checkpoint that has one"),
    "vae": ("autoencoder", f"connect {_SD_VAE} instead"),
    "audio_encoder": ("audio encoder", "take the one of EAD-Net Load LatentSync or of another checkpoint"),
    "text_encoder": (
        "text encoder",
        "leave the emotion of the sampler unconnected or choose an EAD-Net checkpoint",
    ),
    "tfrm": ("TFRM", "leave the TFRM Smoother out, or take the TFRM of another checkpoint"),
    "syncnet": ("SyncNet", "choose a checkpoint that has one"),
}


def _missing(component: str, file: str) -> str:
    name, advice = _ADVICE[component]
    return f"The checkpoint {file} has no {name}: {advice}."


class EADNetCheckpointLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetCheckpointLoader",
            display_name="EAD-Net Load Checkpoint",
            description="Loads every part of an EAD-Net checkpoint. The small 'mini' model comes with the "
            "pack.",
            search_aliases=["talking head", "lip sync", "lipsync", "load eadnet", "EAD-Net loader"],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=host.checkpoint_names(),
                    default=host.BUNDLED,
                    tooltip="A .safetensors file in models/eadnet. mini.safetensors comes with the pack.",
                )
            ],
            outputs=[
                Model.Output(
                    display_name="model", tooltip="The denoiser, for EAD-Net Prepare and EAD-Net Sampler."
                ),
                AudioEncoder.Output(
                    display_name="audio_encoder", tooltip="Listens to speech: EAD-Net Encode Audio."
                ),
                TextEncoder.Output(
                    display_name="text_encoder",
                    tooltip="Reads the sentence of emotion: EAD-Net Encode Emotion.",
                ),
                io.Vae.Output(
                    display_name="vae",
                    tooltip="The autoencoder, for EAD-Net Prepare and ComfyUI's VAE Decode.",
                ),
                Smoother.Output(display_name="tfrm", tooltip="Frame graph reasoning: EAD-Net TFRM Smoother."),
                SyncNet.Output(
                    display_name="syncnet",
                    tooltip="Judges how well sound and mouth agree, where the file has one.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str) -> bool | str:
        return host.file_problem(checkpoint) or True

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str) -> str:
        return host.fingerprint(checkpoint)

    @classmethod
    def execute(cls, checkpoint: str) -> io.NodeOutput:
        path = host.checkpoint_path(checkpoint)
        present = read_info(path)["components"].keys() & _ADVICE.keys()
        loaded = load_checkpoint(path, only=present - {"unet"})
        parts: dict[str, Any] = {
            name: host.Held(loaded.components[name])
            if name in loaded.components
            else host.Missing(_missing(name, checkpoint))
            for name in _ADVICE
        }
        if "unet" in present:
            dtype = host.unet_dtype(path.stat().st_size // 2)
            parts["unet"] = host.Held(load_checkpoint(path, only={"unet"}, dtype=dtype).component("unet"))
        autoencoder = loaded.components.get("vae")
        vae = (
            host.MissingVAE(_missing("vae", checkpoint)) if autoencoder is None else host.HeldVAE(autoencoder)
        )
        info = ModelInfo.of(loaded)
        logger.info("EAD-Net loaded %s: %s, %d pixels.", checkpoint, info.preset, info.resolution)
        return io.NodeOutput(
            Denoiser(parts["unet"], info),
            parts["audio_encoder"],
            parts["text_encoder"],
            vae,
            GraphSmoother(parts["tfrm"], info.latent_scale),
            parts["syncnet"],
        )


class EADNetLatentSyncLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EADNetLatentSyncLoader",
            display_name="EAD-Net Load LatentSync",
            description="Loads the public LatentSync weights, converted with 'eadnet convert', and "
            "optionally the parts that EAD-Net adds to them.",
            search_aliases=["LatentSync", "lip sync", "lipsync", "wav2lip"],
            inputs=[
                io.Combo.Input(
                    "unet",
                    options=host.user_file_names("unet"),
                    tooltip="LatentSync 1.5 or 1.6, converted from latentsync_unet.pt into models/eadnet. "
                    "The resolution (256 or 512) is read from the file.",
                ),
                io.Combo.Input(
                    "whisper",
                    options=host.user_file_names("whisper"),
                    tooltip="Whisper tiny, converted from tiny.pt into models/eadnet. Larger ones do not "
                    "fit.",
                ),
                io.Combo.Input(
                    "adapter",
                    options=[host.NONE, *host.user_file_names("adapter")],
                    default=host.NONE,
                    tooltip="Trained EAD-Net parts (emotion attention, STDA) for this U-Net, or none: then "
                    "the result is LatentSync's own.",
                ),
            ],
            outputs=[
                Model.Output(
                    display_name="model", tooltip="The denoiser, for EAD-Net Prepare and EAD-Net Sampler."
                ),
                AudioEncoder.Output(
                    display_name="audio_encoder", tooltip="Listens to speech: EAD-Net Encode Audio."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, unet: str) -> bool | str:
        return host.file_problem(unet) or True

    @classmethod
    def fingerprint_inputs(cls, unet: str, whisper: str, adapter: str) -> str:
        return " ".join(host.fingerprint(name) for name in (unet, whisper, adapter) if name != host.NONE)

    @classmethod
    def execute(cls, unet: str, whisper: str, adapter: str) -> io.NodeOutput:
        unet_path, whisper_path = host.checkpoint_path(unet), host.checkpoint_path(whisper)
        # Small files first: what does not fit together is found before gigabytes are read.
        encoder = load_checkpoint(whisper_path, only={"audio_encoder"}).component("audio_encoder")
        _check_fit(read_info(unet_path), unet, encoder, whisper)
        if adapter != host.NONE:
            read_adapter_info(host.checkpoint_path(adapter), read_info(unet_path))
        dtype = host.unet_dtype(unet_path.stat().st_size // 2)
        loaded = load_checkpoint(unet_path, only={"unet"}, dtype=dtype)
        network = loaded.component("unet")
        if adapter != host.NONE:
            network = apply_adapter(network, host.checkpoint_path(adapter), loaded.info)
        info = ModelInfo.of(loaded)
        logger.info("EAD-Net loaded %s: %s, %d pixels.", unet, info.preset, info.resolution)
        return io.NodeOutput(Denoiser(host.Held(network), info), host.Held(encoder))


def _check_fit(unet_info: dict[str, Any], unet: str, encoder: torch.nn.Module, whisper: str) -> None:
    """Raise CheckpointError when the audio encoder's tokens are not what the denoiser was trained on."""
    if "unet" not in unet_info["components"]:
        raise CheckpointError(f"{unet} has no denoiser: choose a converted LatentSync U-Net.")
    wanted = unet_info["components"]["unet"]["config"]["cross_attention_dim"]
    config: dict[str, Any] = encoder.config  # type: ignore[assignment]
    width = config.get("n_audio_state", config.get("dim"))
    if width != wanted:
        raise CheckpointError(
            f"{whisper} gives tokens {width} wide and {unet} needs {wanted}: choose Whisper tiny (384 wide)."
        )
