"""The networks of the `mini` recipe, new or from a stage's folder, and the checkpoint that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...checkpoints import load_checkpoint, save_checkpoint
from ...modules.autoencoder import FACTOR, MiniAutoencoder
from ...modules.conditioned_unet import ConditionedUNet
from ...modules.mini_audio import MiniAudioEncoder
from ...modules.mini_syncnet import MiniSyncNet
from ...modules.text_encoder import MiniTextEncoder
from ...modules.tfrm import TFRM
from ...modules.unet import EADUNet
from ...modules.widening import widened
from ...presets import Preset, find_preset
from ..data.images import to_model_range

MINI = find_preset("mini")


def load_autoencoder(folder: Path) -> MiniAutoencoder:
    """The VAE of its stage, with the decoder as fine-tuned last."""
    model = MiniAutoencoder()
    model.load_state_dict(torch.load(folder / "vae" / "model.pt", weights_only=True))
    return model.eval()


def new_model(start: Path | None = None, preset: Preset = MINI) -> ConditionedUNet:
    """The networks of the preset, untrained, or those of the checkpoint `start`, with an audio encoder of
    the preset's size.
    """
    if start:
        parts = load_checkpoint(start)
        unet, audio, text = (parts.component(name) for name in ("unet", "audio_encoder", "text_encoder"))
        return ConditionedUNet(unet, widened(audio, preset.audio_config), text).train()
    torch.manual_seed(0)
    return untrained_model(preset)


def untrained_model(preset: Preset = MINI) -> ConditionedUNet:
    """The networks of the preset with random weights."""
    return ConditionedUNet(
        EADUNet.from_config(preset.unet_config),
        MiniAudioEncoder.from_config(preset.audio_config),
        MiniTextEncoder.from_config(preset.text_config),
    )


def new_smoother(preset: Preset = MINI) -> TFRM:
    """An untrained TFRM of the preset."""
    torch.manual_seed(0)
    return TFRM.from_config(preset.tfrm_config)


@torch.no_grad()
def latent_to_rgb(vae: MiniAutoencoder, pictures: Tensor) -> list[list[float]]:
    """Least-squares map from a latent site (4 values and a one) to its mean colour, 0 ... 1."""
    latents = vae.encode(pictures)
    colours = (torch.nn.functional.avg_pool2d(pictures, FACTOR) + 1) / 2
    x = latents.permute(0, 2, 3, 1).reshape(-1, 4)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    return torch.linalg.lstsq(x, colours.permute(0, 2, 3, 1).reshape(-1, 3)).solution.tolist()


def model_weights(folder: Path) -> dict[str, Tensor]:
    """The finished model, or the running average of a training still under way."""
    done = folder / "denoiser" / "model.pt"
    if done.exists():
        return torch.load(done, weights_only=True)
    return torch.load(folder / "denoiser" / "state.pt", weights_only=True)["average"]


def assemble(folder: Path, destination: Path, notes: dict[str, Any], preset: Preset = MINI) -> None:
    """Write the one-file checkpoint from the stages' results."""
    vae, model = load_autoencoder(folder), new_model(preset=preset)
    model.load_state_dict(model_weights(folder))
    tfrm = new_smoother(preset)
    tfrm.load_state_dict(torch.load(folder / "smoother" / "model.pt", weights_only=True))
    components: dict[str, nn.Module] = {
        "unet": model.unet,
        "vae": vae,
        "audio_encoder": model.audio_encoder,
        "text_encoder": model.text_encoder,
        "tfrm": tfrm,
    }
    syncnet = folder / "syncnet" / "model.pt"
    if syncnet.exists():
        components["syncnet"] = MiniSyncNet()
        components["syncnet"].load_state_dict(torch.load(syncnet, weights_only=True))
    stills = np.load(folder / "stills" / "stills.npy", mmap_mode="r")
    info = {
        **preset.info(),
        "latent_rgb": latent_to_rgb(vae, to_model_range(np.array(stills[:128]))),
        "training": notes,
    }
    save_checkpoint(destination, components, info)
