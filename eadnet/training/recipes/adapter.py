"""The recipe `adapter`: EAD-Net's parts on a frozen LatentSync U-Net, from a prepared set.

Emotion attention and STDA, as a preset puts them into the U-Net, start as identities and are all that is
optimised; the result is a file of these weights alone, which the loader of LatentSync's weights puts on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...adapters import is_ead_key, save_adapter
from ...checkpoints import HEADER, load_checkpoint, read_info
from ...errors import InputError
from ...fingerprints import fingerprint
from ...modules.unet import EADUNet
from ...preparation.shards import read_set, read_shards
from ...presets import Preset, find_preset
from ...printable import get_logger
from ...weights import open_weights
from ..on_set import OnSet
from ..tasks.adapter import AdapterTask, FrozenEncoders
from ..tasks.sample_window import SampleWindow
from ..tasks.unet_on_set import SetTraining

logger = get_logger(__name__)

RESULT = "adapter.safetensors"


@dataclass(frozen=True)
class Files:
    """Where the frozen networks are. vae: Stable Diffusion's; whisper: converted; text: CLIP ViT-L/14.

    Each may also be a checkpoint of EAD-Net's that has such a part. VAE and Whisper may be left out where the
    set holds latents and rows.
    """

    base: Path
    text: Path
    vae: Path | None = None
    whisper: Path | None = None


def load_encoders(files: Files) -> FrozenEncoders:
    """Raises CheckpointError for files that are missing or hold something else."""
    vae = None if files.vae is None else _part(files.vae, "vae", _vae)
    text = _part(files.text, "text_encoder", _text)
    audio = None
    if files.whisper is not None:
        audio = load_checkpoint(files.whisper, only=["audio_encoder"]).component("audio_encoder")
    return FrozenEncoders(vae, audio, text)


def _part(path: Path, name: str, published: Callable[[Path], Any]) -> Any:
    """A part of a checkpoint of ours, or what is published as a file of its own."""
    if path.is_file():
        with open_weights(path) as file:
            ours = HEADER in file.metadata
        if ours:
            return load_checkpoint(path, only=[name]).component(name)
    return published(path)


def _vae(path: Path) -> Any:
    from ...modules.vae import SDAutoencoder

    return SDAutoencoder.from_file(path)


def _text(path: Path) -> Any:
    from ...modules.clip_text import CLIPTextEncoder

    return CLIPTextEncoder.from_files(path)


def check_set(
    directory: Path, resolution: int, mask_region: str, encoders: FrozenEncoders, split: str = "train"
) -> None:
    """Refuse a set that cannot be trained on with these networks, before anything heavy.

    Raises InputError for crops of another size, features of another mask, and features that are neither in
    the set nor to be computed.
    """
    told = read_set(directory)
    if told.get("resolution") not in (None, resolution):
        raise InputError(
            f"The set {directory} has crops of {told['resolution']} pixels and the U-Net takes {resolution}: "
            "prepare the set at that resolution, or choose another U-Net."
        )
    cached = told.get("features")
    first = next(read_shards(directory, split=split))
    if "latents" in first.tensors:
        if cached and find_preset(cached).mask_region != mask_region:
            raise InputError(
                f"The set's latents are of {cached}, which hides the {find_preset(cached).mask_region}, and "
                f"this training hides the {mask_region}: prepare the set with --features for it."
            )
    elif encoders.vae is None:
        raise InputError(f"The set {directory} holds no latents: give the VAE with --vae.")
    if "whisper" not in first.tensors and encoders.audio is None:
        raise InputError(f"The set {directory} holds no sound features: give Whisper with --whisper.")


def with_parts(base: EADUNet, ead: dict[str, Any]) -> EADUNet:
    """The base with EAD-Net's parts, which change nothing yet. Raises InputError where it has some."""
    if base.config.get("ead"):
        raise InputError("This U-Net has EAD-Net's parts already: choose a LatentSync U-Net.")
    unet = EADUNet.from_config({**base.config, "ead": ead})
    missing, stray = unet.load_state_dict(base.state_dict(), strict=False)
    assert not stray and all(map(is_ead_key, missing))
    return unet


def train_adapter(
    directory: Path,
    out: Path,
    files: Files,
    how: OnSet,
    preset: Preset | None = None,
    mask_region: str | None = None,
) -> Path:
    """Train the parts of `preset` on a set; returns the adapter's file, in `out` with the state and the log.

    The default preset is the ead one of the base's resolution; the region that is generated is the base's
    own, as its frozen weights know no other. Raises InputError and CheckpointError, one sentence, for files
    and sets that do not fit; FloatingPointError where the loss is not finite.
    """
    info = read_info(files.base)
    if "unet" not in info["components"] or "scheduler" not in info:
        raise InputError(f"{files.base.name} has no U-Net with its schedule: convert LatentSync's first.")
    resolution = int(info["resolution"])
    preset = preset or find_preset("ead-512" if resolution == 512 else "ead-256")
    region = mask_region or str(info.get("mask_region", "lower_face"))
    encoders = load_encoders(files)
    check_set(directory, resolution, region, encoders)
    ead = {**preset.unet_config["ead"], "emotion_dim": encoders.text.dim}
    torch.manual_seed(how.seed)
    base = load_checkpoint(files.base, only=["unet"])
    unet = with_parts(base.component("unet"), ead)
    header = {**base.info, "preset": preset.name, "mask_region": region, "defaults": preset.defaults}
    header["training"] = {"recipe": "adapter", "base": info.get("preset", "unnamed"), "steps": how.steps}

    def save(network: EADUNet) -> None:
        save_adapter(out / RESULT, network, header)

    training = SetTraining(
        out,
        unet,
        lambda device: AdapterTask(info["scheduler"], region, resolution, encoders, device),
        directory,
        how,
        trained=is_ead_key,
        identity={"recipe": "adapter", "preset": preset.name, "base": fingerprint(files.base)},
        on_saved=save,
        on_sample=None
        if encoders.vae is None
        else SampleWindow(out / "samples", info["scheduler"], preset.defaults),
    )
    training.run()
    return out / RESULT
