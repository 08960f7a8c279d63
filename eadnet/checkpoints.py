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
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from .errors import CheckpointError, no_such
from .network_config import build_without_memory, check_numbers, read_json
from .printable import printable
from .weights import WeightsFile, check_keys, named, open_weights

if TYPE_CHECKING:
    from .sampling import AutoSampler

FORMAT = 1
HEADER = "eadnet"

# Component classes by name; modules are imported when a file asks for them, so reading a header stays quick.
CLASSES: dict[str, str] = {
    "EADUNet": ".modules.unet",
    "MiniAutoencoder": ".modules.autoencoder",
    "MotionCodec": ".modules.motion_codec",
    "SDAutoencoder": ".modules.vae",
    "MiniAudioEncoder": ".modules.mini_audio",
    "WhisperEncoder": ".modules.whisper",
    "MiniTextEncoder": ".modules.text_encoder",
    "TFRM": ".modules.tfrm",
    "SyncNetV2": ".modules.syncnet_v2",
    "StableSyncNet": ".modules.stable_syncnet",
    "MiniSyncNet": ".modules.mini_syncnet",
    "Inception": ".modules.inception",
    "LPIPS": ".modules.lpips",
    "ExpressionReader": ".modules.expression_reader",
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
        return printable(self.info.get("preset", "unnamed"), 100)

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
        """Its default sampling settings; where they are those that its preset had before, today's."""
        from .presets import current_defaults

        return current_defaults(self.preset, self.info.get("defaults", {}))

    @property
    def auto_sampler(self) -> AutoSampler:
        """How it is sampled where no sampler was chosen."""
        from .presets import auto_sampler_of

        return auto_sampler_of(self.preset, self.info.get("defaults", {}))

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


BUNDLED = ("mini", "motion")
"""Names of the checkpoints that come with the package: one draws faces, the other moves a rig."""


def bundled_mini() -> Path:
    """The checkpoint that draws faces of 128 pixels. Raises CheckpointError where it is missing."""
    return _bundled("mini")


def named_checkpoint(name: str | os.PathLike[str]) -> Path:
    """A file, or the bundled checkpoint of that name. Raises CheckpointError for a word that is neither."""
    if name in BUNDLED:
        return _bundled(str(name))
    path = Path(name)
    if path.name == str(name) and not path.suffix and not os.path.exists(path):
        raise CheckpointError(f"{no_such('bundled checkpoint', path.name[:80], BUNDLED)} Or give a file.")
    return path


def _bundled(name: str) -> Path:
    path = Path(__file__).parent / "assets" / f"{name}.safetensors"
    if not path.is_file():
        raise CheckpointError(f"The bundled checkpoint {path.name} is missing: reinstall the package.")
    return path


def read_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The ``eadnet`` entry of the header, without reading any tensor.

    Raises CheckpointError for a missing, truncated or foreign file, and for an unknown format version.
    """
    with open_weights(path) as file:
        metadata, keys = file.metadata, list(file.stored)
    name = Path(path).name
    if HEADER not in metadata:
        raise CheckpointError(
            f"{name} is a safetensors file without EAD-Net's header (it starts with "
            f"'{min(keys, default='nothing')}'): choose an EAD-Net checkpoint, or convert a published one "
            f"with 'eadnet convert {name}'."
        )
    info = read_json(metadata[HEADER], f"EAD-Net's header in {name}")
    _check_info(info, name)
    return info


def _check_info(info: Any, name: str) -> None:
    """Raise CheckpointError for a header that says too little, or what cannot be."""
    damaged = CheckpointError(f"EAD-Net's header in {name} is damaged: download or convert the file again.")
    if not isinstance(info, dict) or not isinstance(info.get("components"), dict) or "format" not in info:
        raise damaged
    if info["format"] != FORMAT:
        raise CheckpointError(
            f"{name} has format {info['format']!r} and this version reads {FORMAT}: update EAD-Net."
        )
    for component, entry in info["components"].items():
        if not component or "." in component:
            raise damaged
        if not isinstance(entry, dict) or not isinstance(entry.get("class"), str):
            raise damaged
        check_numbers(entry.get("config"), f"The configuration of {component} in {name}")
    for key, value in info.items():
        if key in _SAYS and not _SAYS[key](value):
            raise CheckpointError(
                f"EAD-Net's header in {name} says {key} = {str(value)[:40]}, which cannot be: download or "
                "convert the file again."
            )
    check_numbers(info.get("scheduler"), f"The scheduler in {name}")


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    )


def _is_latent_rgb(value: Any) -> bool:
    rows = value if isinstance(value, list) else []
    return value is None or (
        len(rows) == 5
        and all(isinstance(row, list) and len(row) == 3 for row in rows)
        and all(_number(-100, 100)(number) for row in rows for number in row)
    )


# What a header may say about using its networks, where it says it.
_SAYS: dict[str, Callable[[Any], bool]] = {
    "preset": lambda value: isinstance(value, str),
    "resolution": lambda value: isinstance(value, int) and 8 <= value <= 4096 and value % 8 == 0,
    "fps": _number(1, 1000),
    "mask_region": lambda value: isinstance(value, str),
    "framing": lambda value: isinstance(value, str),
    "scheduler": lambda value: isinstance(value, dict),
    "defaults": lambda value: isinstance(value, dict) and all(map(_number(-1000, 1000), value.values())),
    "latent_scale": _number(1e-6, 1e6),
    "latent_rgb": _is_latent_rgb,
    "adapter": lambda value: isinstance(value, dict),
}


def count_parameters(path: str | os.PathLike[str]) -> dict[str, int]:
    """Numbers stored per component, from the header alone."""
    counts: dict[str, int] = {}
    with open_weights(path) as file:
        for key, stored in file.stored.items():
            component = key.split(".", 1)[0]
            counts[component] = counts.get(component, 0) + math.prod(stored.shape)
    return counts


def _unfilled(module: nn.Module) -> bool:
    """Whether any tensor of a network built without memory is still without: one that no file holds."""
    return any(
        isinstance(value, Tensor) and value.is_meta
        for part in module.modules()
        for value in (*part._parameters.values(), *part._buffers.values(), *vars(part).values())
    )


# Makes a network of a configuration in place of its class, of a host's layers for instance.
Build = Callable[[Mapping[str, Any]], nn.Module]


def is_matrix(key: str, shape: Sequence[int]) -> bool:
    """Whether a tensor is the weight of a linear layer or a convolution: nearly all there is to store."""
    return key.endswith(".weight") and len(shape) > 1


def _build(
    name: str,
    entry: Mapping[str, Any],
    file: WeightsFile,
    dtype: torch.dtype,
    matrices: torch.dtype,
    build: Build | None,
) -> nn.Module:
    """A network with the file's weights. It is built without memory: initial values would only cost time."""
    stored = {key.split(".", 1)[1]: value for key, value in file.stored.items() if key.startswith(name + ".")}
    kind = component_class(entry["class"])
    module: nn.Module = build_without_memory(
        kind.from_config,
        entry.get("config"),
        len(stored),
        f"The configuration of {name} in {file.path.name}",
        "update EAD-Net or convert the file again.",
    )
    advice = "the file does not match its own header, download it again."
    check_keys(module.state_dict(), stored, f"{name} in {file.path.name}", advice)
    weights = {
        key: file.tensor(f"{name}.{key}", matrices if is_matrix(key, kept.shape) else dtype)
        for key, kept in stored.items()
    }
    if build is not None:  # after the class's own: a host's layers may have no weights to compare with yet
        with torch.device("meta"):
            module = build(entry["config"])
    module.load_state_dict(weights, assign=True)
    if _unfilled(module):
        module = (build or kind.from_config)(entry["config"]).to(dtype)
        module.load_state_dict(weights)
    if getattr(module, "channels_last", False):
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval()


def load_checkpoint(
    path: str | os.PathLike[str],
    only: Collection[str] | None = None,
    dtype: torch.dtype = torch.float32,
    matrices: torch.dtype | None = None,
    build: Mapping[str, Build] | None = None,
) -> Checkpoint:
    """Load a checkpoint on the CPU, strictly: every tensor must be there, none may be left over.

    ``only`` names the components to load (all by default). Weights are converted to ``dtype``, those of
    linear layers and convolutions to ``matrices`` where it is given; what needs no conversion stays mapped
    from the file. ``build`` makes components, by name, in place of their classes.
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
    with open_weights(path) as file:
        stray = [key for key in file.stored if key.split(".", 1)[0] not in entries]
        if stray:
            raise CheckpointError(
                f"{path.name} contains {named(stray)}, which its header does not describe: download it again."
            )
        for name, entry in entries.items():
            if only is None or name in only:
                make = None if build is None else build.get(name)
                components[name] = _build(name, entry, file, dtype, matrices or dtype, make)
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
