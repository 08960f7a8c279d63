"""Published weights into EAD-Net checkpoints: LatentSync's U-Net and SyncNet, Whisper, SyncNet v2,
FID's Inception, MediaPipe's face landmarker.

Files are read with ``weights_only=True``: tensors and plain containers are accepted, code is refused. What
a file is gets decided by its tensors' names and shapes, never by its own name.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoints import FORMAT, HEADER, component_class, write_safetensors
from .errors import CheckpointError
from .landmarker_task import GRAPHS, is_landmarker_task, read_landmarker_task
from .network_config import build_without_memory
from .paths import is_file
from .pickle_check import MORE_THAN_WEIGHTS, check_pickle
from .presets import LATENTSYNC_UNET, PRESETS, STABLE_SYNCNET, WHISPER_TINY, Preset, find_preset
from .weights import check_keys, finite, open_weights

_WHISPER_SIZES = {384: "tiny", 512: "base", 768: "small", 1024: "medium", 1280: "large"}

_MOST_ENTRIES = 100_000
_MOST_TENSORS = 10_000
# A tensor of each of the landmarker's networks.
_LANDMARKER_KEYS = (("detector", "first.weight"), ("mesh", "points.weight"), ("blendshapes", "token.weight"))

State = dict[str, Tensor]
OnTensor = Callable[[int, int], None]  # tensors so far, tensors in all


@dataclass(frozen=True)
class Published:
    """A published file: its kind ("latentsync_unet", "whisper", "stable_syncnet", "syncnet_v2",
    "inception", "face_landmarker", "lpips_trunk", "lpips_weights") and tensors.
    """

    path: Path
    kind: str
    tensors: State
    dims: Mapping[str, int]


def _foreign(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} {why}")


def _check_start(path: Path) -> None:
    """Name the usual impostors, and judge what is left by what it states."""
    size, start = check_impostors(path)
    if zipfile.is_zipfile(path):
        _check_archive(path, size)
    elif not start.startswith(b"\x80"):  # torch would unpack a tar archive into the system's temporary folder
        raise _foreign(path, "is truncated or not a PyTorch weights file: download it again.")
    else:
        _check_old_kind(path, size)


def check_impostors(path: Path) -> tuple[int, bytes]:
    """Name empty files, web pages, pointers, broken archives; the size and the first bytes of others."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
    if size == 0:
        raise _foreign(path, "is empty: download it again.")
    if start.startswith(b"version https://git-lfs"):
        raise _foreign(
            path, "is a Git LFS pointer, not the weights: fetch the real file with 'git lfs pull'."
        )
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise _foreign(path, "is a web page saved under that name: download the file itself.")
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise _foreign(path, f"is truncated ({size} bytes): the download was interrupted, download it again.")
    return size, start


def _check_archive(path: Path, size: int) -> None:
    """Judge a zip archive by what it states: PyTorch stores weights as they are, so nothing in it is larger
    than the file, and nothing is packed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            stored = all(e.compress_type == zipfile.ZIP_STORED and not e.flag_bits & 1 for e in entries)
            if not stored or len(entries) > _MOST_ENTRIES or sum(e.file_size for e in entries) > size:
                raise _foreign(
                    path, "is a compressed archive, not weights as PyTorch saves them: choose another file."
                )
            for entry in entries:
                if entry.filename.endswith(".pkl"):
                    with archive.open(entry) as file:
                        check_pickle(path, file, size)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise _foreign(path, "is truncated or not a PyTorch weights file: download it again.") from error


def _check_old_kind(path: Path, size: int) -> None:
    """Judge a file of PyTorch's older kind: magic number, protocol, system, content, names of the storages
    are pickles one after the other.
    """
    with path.open("rb") as file:
        for _ in range(5):
            if not check_pickle(path, file, size):
                return


def _read_pytorch(path: Path) -> Any:
    """Unpickle tensors and plain containers, nothing else; mapped into memory when the format allows it."""
    _check_start(path)
    try:
        mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            why = MORE_THAN_WEIGHTS
        else:
            why = "is truncated or not a weights file: download it again."
        raise _foreign(path, why) from error
    except Exception as error:  # whatever torch says to a file that is none
        raise _foreign(path, "is truncated or not a PyTorch weights file: download it again.") from error


def _read_safetensors(path: Path) -> State:
    with open_weights(path) as file:
        if HEADER in file.metadata:
            raise _foreign(path, "is an EAD-Net checkpoint already: use it as it is.")
        return {key: file.raw(key) for key in file.stored}


def _state_of(path: Path, content: Any) -> State:
    """The tensors of what was unpickled, freed of the wrappers that training scripts put around them."""
    for wrapper in ("state_dict", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise _foreign(path, f"contains a {type(content).__name__}, not named weights: choose another file.")
    tensors = {
        key: value for key, value in content.items() if isinstance(value, Tensor) and isinstance(key, str)
    }
    if not tensors and (inner := _parts_with_tensors(content)):
        raise _foreign(
            path,
            f"holds its weights inside {', '.join(inner)}, where none are looked for: save that part alone.",
        )
    if not tensors:
        raise _foreign(path, "contains no weights: choose another file.")
    for key, value in tensors.items():
        plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        # One number can be shown as a billion by strides of 0.
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise _foreign(path, f"has '{key[:80]}', which is no plain tensor: choose another file.")
    if all(key.startswith("module.") for key in tensors):  # saved from a DataParallel wrapper
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _parts_with_tensors(content: Mapping[Any, Any]) -> list[str]:
    """The names of the first few parts that are named weights of their own."""
    parts = (
        repr(key[:80])
        for key, part in content.items()
        if isinstance(key, str)
        and isinstance(part, Mapping)
        and any(isinstance(value, Tensor) for value in part.values())
    )
    return list(islice(parts, 3))


def _kind_of(path: Path, tensors: State) -> str:
    """The kind of a file by its key names. Raises CheckpointError that says what was found instead."""
    if "netcnnaud.0.weight" in tensors and "netcnnlip.0.weight" in tensors:
        return "syncnet_v2"
    if all(f"{component}.{key}" in tensors for component, key in _LANDMARKER_KEYS):
        return "face_landmarker"
    if "audio_encoder.conv_in.weight" in tensors and "visual_encoder.conv_in.weight" in tensors:
        return "stable_syncnet"
    if "Mixed_7c.branch_pool.conv.weight" in tensors and "fc.weight" in tensors:
        return "inception"
    if "features.0.weight" in tensors and "classifier.6.weight" in tensors:
        return "lpips_trunk"
    if "lin0.model.1.weight" in tensors:
        return "lpips_weights"
    if "encoder.blocks.0.attn.query.weight" in tensors and "encoder.conv1.weight" in tensors:
        return "whisper"
    if "conv_in.weight" in tensors and any(".motion_modules." in key for key in tensors):
        return "latentsync_unet"
    if any(key.startswith("model.diffusion_model.") for key in tensors):
        raise _foreign(
            path, "is a Stable Diffusion checkpoint, not LatentSync's U-Net: download latentsync_unet.pt."
        )
    raise _foreign(
        path,
        f"is not a file that can be converted (its first tensor is '{min(tensors)}'): use "
        "latentsync_unet.pt, Whisper's tiny.pt, stable_syncnet.pt, syncnet_v2.model, FID's Inception or "
        "face_landmarker.task.",
    )


def detect(path: str | os.PathLike[str]) -> Published:
    """Read a published weights file (.pt, .model, .pth, .task or .safetensors) and say what it is.

    Raises CheckpointError for a missing, truncated or foreign file.
    """
    path = Path(path)
    if not is_file(path):
        raise CheckpointError(f"There is no file {path}: check the name, or download the weights there.")
    dims: Mapping[str, int] = {}
    if path.suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif path.suffix.lower() == ".task" or is_landmarker_task(path):
        check_impostors(path)
        states = read_landmarker_task(path)
        tensors = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
    else:
        content = _read_pytorch(path)
        if isinstance(content, Mapping) and isinstance(content.get("dims"), Mapping):
            dims = content["dims"]
        tensors = _state_of(path, content)
    return Published(path, _kind_of(path, tensors), tensors, dims)


def _load(src: str | os.PathLike[str] | Published, kind: str) -> Published:
    published = src if isinstance(src, Published) else detect(src)
    if published.kind != kind:
        raise _foreign(
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
        raise _foreign(
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
        raise _foreign(
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
