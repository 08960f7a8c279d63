"""Published weights files, read without running anything in them: what a file is, and its tensors."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoints import HEADER
from .errors import CheckpointError
from .landmarker_task import is_landmarker_task, read_landmarker_task
from .paths import is_file
from .pickle_check import MORE_THAN_WEIGHTS, check_pickle
from .weights import open_weights

_MOST_ENTRIES = 100_000
# A tensor of each of the landmarker's networks.
_LANDMARKER_KEYS = (("detector", "first.weight"), ("mesh", "points.weight"), ("blendshapes", "token.weight"))

State = dict[str, Tensor]


@dataclass(frozen=True)
class Published:
    """A published file: its kind ("latentsync_unet", "whisper", "stable_syncnet", "syncnet_v2",
    "inception", "face_landmarker", "lpips_trunk", "lpips_weights") and tensors.
    """

    path: Path
    kind: str
    tensors: State
    dims: Mapping[str, int]


def foreign(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} {why}")


def _check_start(path: Path) -> None:
    """Name the usual impostors, and judge what is left by what it states."""
    size, start = check_impostors(path)
    if zipfile.is_zipfile(path):
        _check_archive(path, size)
    elif not start.startswith(b"\x80"):  # torch would unpack a tar archive into the system's temporary folder
        raise foreign(path, "is truncated or not a PyTorch weights file: download it again.")
    else:
        _check_old_kind(path, size)


def check_impostors(path: Path) -> tuple[int, bytes]:
    """Name empty files, web pages, pointers, broken archives; the size and the first bytes of others."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
    if size == 0:
        raise foreign(path, "is empty: download it again.")
    if start.startswith(b"version https://git-lfs"):
        raise foreign(path, "is a Git LFS pointer, not the weights: fetch the real file with 'git lfs pull'.")
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise foreign(path, "is a web page saved under that name: download the file itself.")
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise foreign(path, f"is truncated ({size} bytes): the download was interrupted, download it again.")
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
                raise foreign(
                    path, "is a compressed archive, not weights as PyTorch saves them: choose another file."
                )
            for entry in entries:
                if entry.filename.endswith(".pkl"):
                    with archive.open(entry) as file:
                        check_pickle(path, file, size)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise foreign(path, "is truncated or not a PyTorch weights file: download it again.") from error


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
        raise foreign(path, why) from error
    except Exception as error:  # whatever torch says to a file that is none
        raise foreign(path, "is truncated or not a PyTorch weights file: download it again.") from error


def _read_safetensors(path: Path) -> State:
    with open_weights(path) as file:
        if HEADER in file.metadata:
            raise foreign(path, "is an EAD-Net checkpoint already: use it as it is.")
        return {key: file.raw(key) for key in file.stored}


def _state_of(path: Path, content: Any) -> State:
    """The tensors of what was unpickled, freed of the wrappers that training scripts put around them."""
    for wrapper in ("state_dict", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise foreign(path, f"contains a {type(content).__name__}, not named weights: choose another file.")
    tensors = {
        key: value for key, value in content.items() if isinstance(value, Tensor) and isinstance(key, str)
    }
    if not tensors and (inner := _parts_with_tensors(content)):
        raise foreign(
            path,
            f"holds its weights inside {', '.join(inner)}, where none are looked for: save that part alone.",
        )
    if not tensors:
        raise foreign(path, "contains no weights: choose another file.")
    for key, value in tensors.items():
        plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        # One number can be shown as a billion by strides of 0.
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise foreign(path, f"has '{key[:80]}', which is no plain tensor: choose another file.")
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
        raise foreign(
            path, "is a Stable Diffusion checkpoint, not LatentSync's U-Net: download latentsync_unet.pt."
        )
    raise foreign(
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
