"""One file per model: safetensors with the architecture as JSON in its header.

Tensors are named ``<component>.<key>``, for instance ``unet.conv_in.weight``; the header's ``eadnet``
entry names the class and configuration of every component, so nothing about the network is guessed and
nothing is unpickled.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .errors import CheckpointError

FORMAT = 1
HEADER = "eadnet"

# Component classes by name; modules are imported when a file asks for them, so reading a header stays quick.
CLASSES: dict[str, str] = {
    "EADUNet": ".modules.unet",
    "MiniAutoencoder": ".modules.autoencoder",
    "SDAutoencoder": ".modules.vae",
    "MiniAudioEncoder": ".modules.mini_audio",
    "WhisperEncoder": ".modules.whisper",
    "MiniTextEncoder": ".modules.text_encoder",
    "TFRM": ".modules.tfrm",
    "SyncNetV2": ".modules.syncnet_v2",
    "StableSyncNet": ".modules.stable_syncnet",
    "MiniSyncNet": ".modules.mini_syncnet",
    "Inception": ".modules.inception",
    "BlazeFace": ".modules.blazeface",
    "FaceMesh": ".modules.face_mesh",
    "BlendshapeMixer": ".modules.blendshape_mixer",
}


@dataclass
class Checkpoint:
    """A loaded file: ``info`` is its header, ``components`` the requested networks, in eval
    mode.
    """

    path: Path
    info: dict[str, Any]
    components: dict[str, nn.Module]

    @property
    def preset(self) -> str:
        return str(self.info.get("preset", "unnamed"))

    @property
    def resolution(self) -> int:
        return int(self._needed("resolution"))

    @property
    def fps(self) -> float:
        return float(self.info.get("fps", 25))

    @property
    def mask_region(self) -> str:
        return str(self.info.get("mask_region", "lower_face"))

    @property
    def framing(self) -> str:
        """How a face is to lie in the square (`faces.framing`); left open, it is the preset's."""
        from .presets import PRESETS

        preset = PRESETS.get(self.preset)
        return str(self.info.get("framing", "latentsync" if preset is None else preset.framing))

    @property
    def scheduler_config(self) -> dict[str, Any]:
        return dict(self._needed("scheduler"))

    @property
    def defaults(self) -> dict[str, Any]:
        return dict(self.info.get("defaults", {}))

    def component(self, name: str) -> Any:
        """A component by name; CheckpointError when the file has none or it was not loaded."""
        if name not in self.components:
            have = ", ".join(sorted(self.components)) or "nothing"
            raise CheckpointError(
                f"{self.path.name} contains {have} but no {name}: choose a file that has one."
            )
        return self.components[name]

    def _needed(self, key: str) -> Any:
        if key not in self.info:
            raise CheckpointError(
                f"The header of {self.path.name} has no '{key}': convert or download the file again."
            )
        return self.info[key]


def component_class(name: str) -> Any:
    """The class called ``name``; CheckpointError when this version does not know it."""
    if name not in CLASSES:
        raise CheckpointError(
            f"The file needs the class '{name}', which this version does not have: update EAD-Net."
        )
    return getattr(importlib.import_module(CLASSES[name], __package__), name)


def bundled_mini() -> Path:
    """The small checkpoint that comes with the package."""
    path = Path(__file__).parent / "assets" / "mini.safetensors"
    if not path.is_file():
        raise CheckpointError("The bundled checkpoint mini.safetensors is missing: reinstall the package.")
    return path


def open_safetensors(path: str | os.PathLike[str]) -> Any:
    """Open a safetensors file for reading; CheckpointError for a missing, truncated or foreign one."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}: check the name, or put the checkpoint there.")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: Exception) -> str:
    """Tell a half-downloaded file from one that never was safetensors."""
    with path.open("rb") as file:
        start = file.read(9)
    size = path.stat().st_size
    header = int.from_bytes(start[:8], "little") if len(start) >= 8 else 0
    if len(start) == 9 and start[8:] == b"{" and header < 100_000_000:
        return f"{path.name} is truncated or damaged ({size} bytes): download or copy it again."
    if start[:2] in (b"PK", b"\x80\x02"):
        return f"{path.name} is a PyTorch file: convert it first with 'eadnet convert {path.name}'."
    return f"{path.name} is not a safetensors file ({size} bytes): download it again or choose another."


def read_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The ``eadnet`` entry of the header, without reading any tensor.

    Raises CheckpointError for a missing, truncated or foreign file, and for an unknown format version.
    """
    with open_safetensors(path) as file:
        metadata = file.metadata() or {}
        keys = list(file.keys())
    name = Path(path).name
    if HEADER not in metadata:
        raise CheckpointError(
            f"{name} is a safetensors file without EAD-Net's header (it starts with "
            f"'{min(keys, default='nothing')}'): choose an EAD-Net checkpoint, or convert a published one "
            f"with 'eadnet convert {name}'."
        )
    try:
        info = json.loads(metadata[HEADER])
        version, components = info["format"], info["components"]
        described = all({"class", "config"} <= set(entry) for entry in components.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"EAD-Net's header in {name} is damaged: download or convert the file again."
        ) from error
    if version != FORMAT:
        raise CheckpointError(f"{name} has format {version} and this version reads {FORMAT}: update EAD-Net.")
    if not described:
        raise CheckpointError(f"EAD-Net's header in {name} is damaged: download or convert the file again.")
    return info


def count_parameters(path: str | os.PathLike[str]) -> dict[str, int]:
    """Numbers stored per component, from the header alone."""
    counts: dict[str, int] = {}
    with open_safetensors(path) as file:
        for key in file.keys():  # noqa: SIM118 (not a mapping)
            component = key.split(".", 1)[0]
            counts[component] = counts.get(component, 0) + math.prod(file.get_slice(key).get_shape())
    return counts


def named(keys: Iterable[str], limit: int = 3) -> str:
    """The first few keys for a message."""
    keys = sorted(keys)
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if len(keys) > limit else "")


def check_keys(expected: Mapping[str, Tensor], found: Mapping[str, Any], what: str, advice: str) -> None:
    """Raise CheckpointError unless ``found`` (tensors) has exactly the keys and shapes of ``expected``."""
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected:
        parts = [f"lacks {named(missing)}"] if missing else []
        parts += [f"has the unknown {named(unexpected)}"] if unexpected else []
        raise CheckpointError(f"{what} {' and '.join(parts)}: {advice}")
    for key in sorted(expected):
        have, want = tuple(found[key].shape), tuple(expected[key].shape)
        if have != want:
            raise CheckpointError(
                f"{what} has {key} of shape {list(have)} where {list(want)} is needed: {advice}"
            )


def _unfilled(module: nn.Module) -> bool:
    """Whether any tensor of a network built without memory is still without: one that no file holds."""
    return any(
        isinstance(value, Tensor) and value.is_meta
        for part in module.modules()
        for value in (*part._parameters.values(), *part._buffers.values(), *vars(part).values())
    )


def _build(
    name: str, entry: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path, dtype: torch.dtype
) -> nn.Module:
    """A network with the file's weights. It is built without memory: initial values would only cost time."""
    try:
        with torch.device("meta"):
            module: nn.Module = component_class(entry["class"]).from_config(entry["config"])
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"The configuration of {name} in {path.name} does not fit {entry['class']} ({error}): "
            "update EAD-Net or convert the file again."
        ) from error
    advice = "the file does not match its own header, download it again."
    check_keys(module.state_dict(), tensors, f"{name} in {path.name}", advice)
    weights = {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors.items()}
    module.load_state_dict(weights, assign=True)
    if _unfilled(module):
        module = component_class(entry["class"]).from_config(entry["config"]).to(dtype)
        module.load_state_dict(weights)
    return module.eval()


def load_checkpoint(
    path: str | os.PathLike[str],
    only: Collection[str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Checkpoint:
    """Load a checkpoint on the CPU, strictly: every tensor must be there, none may be left over.

    ``only`` names the components to load (all by default). Weights are converted to ``dtype``.
    Raises CheckpointError, one sentence, for whatever is wrong with the file.
    """
    path = Path(path)
    info = read_info(path)
    entries: dict[str, Any] = info["components"]
    absent = set(only or ()) - entries.keys()
    if absent:
        raise CheckpointError(
            f"{path.name} has no {named(absent)} (it contains {named(entries, 10)}): choose one that has."
        )
    components = {}
    with open_safetensors(path) as file:
        keys = list(file.keys())
        stray = [key for key in keys if key.split(".", 1)[0] not in entries]
        if stray:
            raise CheckpointError(
                f"{path.name} contains {named(stray)}, which its header does not describe: download it again."
            )
        for name, entry in entries.items():
            if only is not None and name not in only:
                continue
            own = {key.split(".", 1)[1]: file.get_tensor(key) for key in keys if key.startswith(name + ".")}
            components[name] = _build(name, entry, own, path, dtype)
    return Checkpoint(path=path, info=info, components=components)


def describe(component: nn.Module) -> dict[str, Any]:
    """The header entry of a network: its class and its ``config``."""
    name = type(component).__name__
    if name not in CLASSES:
        raise CheckpointError(f"A {name} cannot be saved in a checkpoint: use one of {', '.join(CLASSES)}.")
    return {"class": name, "config": dict(component.config)}  # type: ignore[arg-type]


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A tensor as it goes into the file: on the CPU, its own memory, floats in ``dtype``."""
    tensor = tensor.detach().cpu()
    if dtype is not None and tensor.is_floating_point():
        tensor = tensor.to(dtype)
    return tensor.contiguous().clone()


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: dict[str, str]
) -> None:
    """Write atomically: a reader sees the old file or the whole new one, never a part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.stem, suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        save_file(dict(tensors), name, metadata)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save_checkpoint(
    path: str | os.PathLike[str],
    components: Mapping[str, nn.Module],
    info: Mapping[str, Any],
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Save networks in one file. ``info`` needs no "format" and no "components": both are filled in here.

    Floating-point tensors are stored as ``dtype`` (None keeps theirs). The write is atomic.
    Raises CheckpointError for weights that are not finite in that type.
    """
    tensors: dict[str, Tensor] = {}
    for name, component in components.items():
        for key, value in component.state_dict().items():
            tensors[f"{name}.{key}"] = stored = _stored(value, dtype)
            if stored.is_floating_point() and not torch.isfinite(stored).all():
                raise CheckpointError(
                    f"{name}.{key} is not finite as {stored.dtype}: save in float32 or check training."
                )
    header = {
        **info,
        "format": FORMAT,
        "components": {name: describe(component) for name, component in components.items()},
    }
    write_safetensors(path, tensors, {HEADER: json.dumps(header)})
