"""MediaPipe's face landmarker file (`face_landmarker.task`, Apache-2.0) as weights of our networks.

The file is a zip archive of TensorFlow Lite graphs. Our networks have the same layers in the same order, so
the numbers are dealt out one after the other, and each must have the shape and the kind of its place.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoints import component_class
from .errors import CheckpointError
from .tflite import MalformedGraph, Operator, read_operators
from .weights import finite

# Component of the checkpoint: (graph in the archive, our network).
GRAPHS = {
    "detector": ("face_detector.tflite", "BlazeFace"),
    "mesh": ("face_landmarks_detector.tflite", "FaceMesh"),
    "blendshapes": ("face_blendshapes.tflite", "BlendshapeMixer"),
}
_LARGEST = 64 << 20  # bytes of a graph; the published ones have up to 2.6 MB
# Numbers of the blend shapes' graph that our network has in its code: the size of a face and what keeps a
# layer normalisation from dividing by 0.
_SCALARS = (0.5, 1e-6)

State = dict[str, Tensor]


def is_landmarker_task(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an archive with the graph of a face mesh; its name does not matter."""
    try:
        with zipfile.ZipFile(path) as archive:
            return GRAPHS["mesh"][0] in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def read_landmarker_task(path: str | os.PathLike[str]) -> dict[str, State]:
    """The state of each network, in float16 as published, by the names of `GRAPHS`.

    Raises CheckpointError, one sentence, for a file that is missing, damaged or another.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: _graph(archive, file) for name, (file, _) in GRAPHS.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path.name} is no face landmarker or is damaged ({_reason(error)}): download it again."
        ) from error
    return {name: _state(path, name, content) for name, content in contents.items()}


def build_networks(tensors: State, dtype: torch.dtype = torch.float32) -> dict[str, nn.Module]:
    """The networks with these tensors, named "<component>.<key>" as in a checkpoint; in eval mode."""
    networks = {}
    for name, (_, class_name) in GRAPHS.items():
        network: nn.Module = component_class(class_name).from_config({})
        own = {key.partition(".")[2]: value for key, value in tensors.items() if key.startswith(name + ".")}
        network.load_state_dict(own)
        networks[name] = network.to(dtype).eval()
    return networks


def _reason(error: Exception) -> str:
    return f"no {error.args[0]} in it" if isinstance(error, KeyError) else str(error).rstrip(".") or "cut off"


def _graph(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise KeyError(name) from None
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # whose errors are of their own
        raise ValueError(f"{name} is packed in another way than the published one")
    with archive.open(entry) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"{name} is larger than {_LARGEST >> 20} MB")
    return content


def _state(path: Path, name: str, content: bytes) -> State:
    """A graph's numbers under the keys of our network."""
    file, class_name = GRAPHS[name]
    try:
        found = list(_numbers(read_operators(content)))
    except MalformedGraph as error:
        raise CheckpointError(f"{file} in {path.name} is damaged ({error}): download it again.") from error
    with torch.device("meta"):
        network: nn.Module = component_class(class_name).from_config({})
    expected = network.state_dict()
    state: State = {}
    for (key, place), values in zip(expected.items(), found, strict=False):
        weights = _axes(*values, place)
        if weights.shape != place.shape:
            break
        state[key] = finite(weights, f"{key} of {file} in {path.name}")
    if len(found) != len(expected) or len(state) != len(expected):
        raise CheckpointError(
            f"{file} in {path.name} has other layers than the published one (version 1, float16): download "
            "that one."
        )
    return state


def _numbers(operators: list[Operator]) -> Iterator[tuple[str, np.ndarray]]:
    """The weights of a graph one after the other, with the kind of operator each belongs to."""
    for operator in operators:
        for weights in operator.weights:
            if weights.ndim:
                yield operator.name, weights
            elif not any(abs(weights / known - 1) < 0.05 for known in _SCALARS):
                raise MalformedGraph(f"it has the number {float(weights):g} where another was published")


def _axes(operator: str, values: np.ndarray, place: Tensor) -> Tensor:
    """TensorFlow's order of axes -> PyTorch's, float16, and singleton axes as in the place."""
    weights = torch.from_numpy(values).half()
    if weights.ndim == 4 and operator == "conv":  # outputs, height, width, inputs
        weights = weights.permute(0, 3, 1, 2)
    elif weights.ndim == 4 and operator == "depthwise_conv":  # 1, height, width, channels
        weights = weights.permute(3, 0, 1, 2)
    elif operator not in ("conv", "prelu", "mul", "concatenation", "depthwise_conv"):
        return weights.new_zeros(0)
    sides = [side for side in weights.shape if side > 1]
    if sides == [side for side in place.shape if side > 1]:
        weights = weights.reshape(place.shape)
    return weights.contiguous()
