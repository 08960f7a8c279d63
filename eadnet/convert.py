"""Published weights into EAD-Net checkpoints: LatentSync's U-Net and SyncNet, Whisper, SyncNet v2,
FID's Inception, MediaPipe's face landmarker.

Files are read with ``weights_only=True``: tensors and plain containers are accepted, code is refused. What
a file is gets decided by its tensors' names and shapes, never by its own name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from .checkpoints import FORMAT, HEADER, component_class, write_safetensors
from .errors import CheckpointError
from .landmarker_task import GRAPHS
from .network_config import build_without_memory
from .presets import LATENTSYNC_UNET, PRESETS, STABLE_SYNCNET, WHISPER_TINY, Preset, find_preset
from .published import Published, State, detect, foreign
from .weights import check_keys, finite

_WHISPER_SIZES = {384: "tiny", 512: "base", 768: "small", 1024: "medium", 1280: "large"}

_MOST_TENSORS = 10_000

OnTensor = Callable[[int, int], None]  # tensors so far, tensors in all


def _load(src: str | os.PathLike[str] | Published, kind: str) -> Published:
    published = src if isinstance(src, Published) else detect(src)
    if published.kind != kind:
        raise foreign(
            published.path, f"is a {published.kind} file where {kind} is needed: choose the other file."
        )
    return published


def _expected_state(class_name: str, config: Mapping[str, Any]) -> State:
    """Keys and shapes of a network, without memory for its weights."""
    where = f"The configuration of {class_name}"
    make = component_class(class_name).from_config
    return build_without_memory(make, config, _MOST_TENSORS, where, "correct it.").state_dict()


def _write(
    dst: str | os.PathLike[str],
    component: str,
    class_name: str,
    config: Mapping[str, Any],
    published: Published,
    tensors: State,
    info: Mapping[str, Any],
    dtype: torch.dtype | None,
    on_tensor: OnTensor | None = None,
) -> Path:
    """Check the tensors against the network they are for, and write the checkpoint."""
    expected = _expected_state(class_name, config)
    check_keys(
        expected, tensors, published.path.name, f"it does not fit this {class_name}, choose another file."
    )
    stored = {}
    for number, (key, value) in enumerate(tensors.items(), 1):
        plain = finite(value, f"{key} in {published.path.name}", dtype).contiguous()
        stored[f"{component}.{key}"] = plain
        if on_tensor:
            on_tensor(number, len(tensors))
    entry = {"class": class_name, "config": dict(config)}
    header = {
        **info,
        "format": FORMAT,
        "components": {component: entry},
        "converted_from": published.path.name,
    }
    write_safetensors(dst, stored, {HEADER: json.dumps(header)})
    return Path(dst)


def preset_from_name(path: Path) -> Preset | None:
    """The LatentSync preset that a file's or its folder's name states ("1.5", "1.6", "256", "512"), if
    just one.
    """
    text = f"{path.absolute().parent.name}/{path.stem}".lower()
    named = set()
    for preset, pattern in (
        ("latentsync-1.5", r"(?<![\d.])(v?1[._]5|256)(?![\d])|latentsync[-_ ]?15(?!\d)"),
        ("latentsync-1.6", r"(?<![\d.])(v?1[._]6|512)(?![\d])|latentsync[-_ ]?16(?!\d)"),
    ):
        if re.search(pattern, text):
            named.add(preset)
    return PRESETS[named.pop()] if len(named) == 1 else None


def latentsync_preset(path: Path, preset: str | None, resolution: int | None = None) -> Preset:
    """The requested preset of a LatentSync U-Net, checked against the requested resolution and the file's
    name. Raises CheckpointError where they contradict each other, or nothing says which one it is.
    """
    stated = preset_from_name(path)
    chosen = find_preset(preset) if preset else None
    if chosen is None and resolution is not None:
        by_resolution = {256: "latentsync-1.5", 512: "latentsync-1.6"}
        if resolution not in by_resolution:
            raise CheckpointError(
                f"LatentSync has no {resolution} pixel model: use the resolution 256 or 512."
            )
        chosen = PRESETS[by_resolution[resolution]]
    chosen = chosen or stated
    if chosen is None:
        raise CheckpointError(
            f"LatentSync 1.5 (256 pixels) and 1.6 (512) have the same tensors and the name {path.name} does "
            "not say which one this is: set --resolution 256 or --resolution 512."
        )
    if chosen.name not in ("latentsync-1.5", "latentsync-1.6"):
        raise CheckpointError(
            f"A LatentSync file cannot become {chosen.name}: use latentsync-1.5 or latentsync-1.6."
        )
    if resolution is not None and resolution != chosen.resolution:
        raise CheckpointError(
            f"The preset {chosen.name} has {chosen.resolution} pixels, not {resolution}: give one of the two."
        )
    if stated is not None and stated.name != chosen.name:
        raise CheckpointError(
            f"{path.name} is named as {stated.name} ({stated.resolution} pixels) but {chosen.name} "
            f"({chosen.resolution}) was chosen: correct the choice, or rename the file."
        )
    return chosen


def convert_latentsync_unet(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str],
    *,
    resolution: int | None = None,
    preset: str | None = None,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = torch.float16,
    on_tensor: OnTensor | None = None,
) -> Path:
    """LatentSync's `latentsync_unet.pt` into a checkpoint with the component "unet".

    Versions 1.5 and 1.6 differ in resolution only, which the tensors do not tell: give ``resolution`` (256
    or 512) or ``preset``, unless the file's or folder's name states the version. ``config`` is the U-Net's
    configuration when it is not the published one. ``dtype`` None keeps the stored type.
    Raises CheckpointError for a wrong or broken file and for a resolution that is unknown or contradicts
    the name.
    """
    published = _load(src, "latentsync_unet")
    chosen = latentsync_preset(published.path, preset, resolution)
    config = config or LATENTSYNC_UNET
    tensors, info = published.tensors, chosen.info()
    return _write(dst, "unet", "EADUNet", config, published, tensors, info, dtype, on_tensor)


def convert_whisper(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = torch.float16,
) -> Path:
    """The encoder of OpenAI's `tiny.pt` into a checkpoint with the component "audio_encoder".

    Raises CheckpointError for the other sizes, whose features LatentSync's U-Net was not trained on.
    """
    published = _load(src, "whisper")
    first = published.tensors["encoder.conv1.weight"]
    width = len(first) if first.ndim else 0
    if width != WHISPER_TINY["n_audio_state"]:
        size = _WHISPER_SIZES.get(width, "an unknown size")
        raise foreign(
            published.path,
            f"is Whisper {size} (width {width}): LatentSync needs tiny (384), download tiny.pt.",
        )
    encoder = {
        key.removeprefix("encoder."): value
        for key, value in published.tensors.items()
        if key.startswith("encoder.")
    }
    info = {"preset": "whisper-tiny"}
    return _write(dst, "audio_encoder", "WhisperEncoder", WHISPER_TINY, published, encoder, info, dtype)


def convert_stable_syncnet(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str],
    *,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = torch.float16,
) -> Path:
    """LatentSync's `stable_syncnet.pt` into a checkpoint with the component "syncnet"."""
    published = _load(src, "stable_syncnet")
    info = {"preset": "stable-syncnet"}
    config = config or STABLE_SYNCNET
    return _write(dst, "syncnet", "StableSyncNet", config, published, published.tensors, info, dtype)


def convert_syncnet_v2(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = None,
) -> Path:
    """SyncNet v2's `syncnet_v2.model` into a checkpoint with the component "syncnet", in its own precision.

    Scores made with it are compared across papers, so nothing is rounded by default.
    """
    published = _load(src, "syncnet_v2")
    info = {"preset": "syncnet-v2"}
    return _write(dst, "syncnet", "SyncNetV2", {}, published, published.tensors, info, dtype)


def convert_inception(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str],
    *,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """FID's `pt_inception-2015-12-05-6726825d.pth` into a checkpoint with the component "inception".

    Raises CheckpointError for torchvision's Inception too, which has other weights and 1000 classes: its
    distances are no FID.
    """
    published = _load(src, "inception")
    expected = _expected_state("Inception", config or {})
    tensors = {key: value for key, value in published.tensors.items() if not key.startswith("AuxLogits.")}
    # Counters of training, which the published file lacks.
    tensors |= {
        key: torch.zeros(value.shape, dtype=value.dtype)
        for key, value in expected.items()
        if key.endswith("num_batches_tracked") and key not in tensors
    }
    info = {"preset": "inception-fid"}
    return _write(dst, "inception", "Inception", config or {}, published, tensors, info, dtype)


def convert_face_landmarker(src: str | os.PathLike[str] | Published, dst: str | os.PathLike[str]) -> Path:
    """MediaPipe's `face_landmarker.task` into a checkpoint with "detector", "mesh" and "blendshapes".

    In half precision, as the numbers were published.
    """
    published = _load(src, "face_landmarker")
    header = {
        "preset": "face-landmarker",
        "format": FORMAT,
        "components": {name: {"class": class_name, "config": {}} for name, (_, class_name) in GRAPHS.items()},
        "converted_from": published.path.name,
    }
    write_safetensors(dst, published.tensors, {HEADER: json.dumps(header)})
    return Path(dst)


def default_name(published: Published, preset: Preset | None) -> str:
    """The usual name of the converted file."""
    names = {
        "whisper": "whisper-tiny",
        "stable_syncnet": "stable-syncnet",
        "syncnet_v2": "syncnet-v2",
        "inception": "inception-fid",
        "face_landmarker": "face_landmarker",
    }
    stem = names.get(published.kind) or (preset.name if preset else published.path.stem)
    return f"{stem}.safetensors"


def convert(
    src: str | os.PathLike[str] | Published,
    dst: str | os.PathLike[str] | None = None,
    *,
    resolution: int | None = None,
    preset: str | None = None,
    on_tensor: OnTensor | None = None,
) -> Path:
    """Convert any of the published files; by default beside the source under its usual name.

    ``on_tensor`` hears of the tensors of a U-Net, which are gigabytes. Raises CheckpointError, one sentence,
    for whatever is wrong.
    """
    published = src if isinstance(src, Published) else detect(src)
    if published.kind.startswith("lpips_"):
        raise foreign(
            published.path,
            "is one half of LPIPS: convert torchvision's VGG16 or AlexNet, and give the weights of its "
            "channels with --lpips.",
        )
    unet = published.kind == "latentsync_unet"
    chosen = latentsync_preset(published.path, preset, resolution) if unet else None
    target = Path(dst) if dst else published.path.with_name(default_name(published, chosen))
    if target.suffix != ".safetensors":
        raise CheckpointError(f"The checkpoint {target.name} must be named .safetensors: give another name.")
    if target.exists() and target.samefile(published.path):
        raise CheckpointError(f"{target} is the source itself: give another name for the converted file.")
    if chosen is not None:
        return convert_latentsync_unet(published, target, preset=chosen.name, on_tensor=on_tensor)
    others: dict[str, Callable[..., Path]] = {
        "whisper": convert_whisper,
        "stable_syncnet": convert_stable_syncnet,
        "syncnet_v2": convert_syncnet_v2,
        "inception": convert_inception,
        "face_landmarker": convert_face_landmarker,
    }
    return others[published.kind](published, target)
