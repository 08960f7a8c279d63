"""face-api.js's small face networks (MIT, V. Mühler): 68 landmarks and seven expressions, 0.35 MB each.

A user downloads `face_landmark_68_model.bin` or `face_expression_model.bin` with its
`-weights_manifest.json`; both are plain numbers. Four densely connected blocks of depthwise separable
convolutions, then one linear layer.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import CheckpointError
from ..finite import SCORE_ADVICE, check_result
from ..network_config import read_json
from ..weights import finite

SIDE = 112
POINTS = 68
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
# Mean of the networks' training images, red, green, blue in 0..255.
_MEAN = (122.782, 117.001, 104.298)
_WIDTHS = (3, 32, 64, 128, 256)
_LARGEST = 64 << 20  # bytes of a file: the published ones have a third of a million
_KINDS = (np.uint8, np.uint16, np.float32, np.float16)


class _Separable(nn.Module):
    """Depthwise, then pointwise convolution, padded as TensorFlow does: at the far end where odd."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(_same(x, self.stride)))


class _Plain(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(inputs, outputs, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(_same(x, self.stride))


def _same(x: Tensor, stride: int) -> Tensor:
    return F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


class _Block(nn.Module):
    """Each layer sees the sum of all before it; [B, C_in, H, W] -> [B, C_out, H / 2, W / 2]."""

    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        opening = _Plain(inputs, outputs, 2) if first else _Separable(inputs, outputs, 2)
        self.layers = nn.ModuleList([opening, *(_Separable(outputs, outputs, 1) for _ in range(3))])

    def forward(self, x: Tensor) -> Tensor:
        total = F.relu(self.layers[0](x))
        for layer in self.layers[1:]:
            total = total + layer(F.relu(total))
        return F.relu(total)


class FaceApiNetwork(nn.Module):
    """Face crops [B, 3, H, W] in 0..1, tight around the face -> [B, outputs]."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(_Block(_WIDTHS[i], _WIDTHS[i + 1], first=i == 0) for i in range(len(_WIDTHS) - 1))
        )
        self.fc = nn.Linear(_WIDTHS[-1], outputs)
        self.eval()

    def forward(self, faces: Tensor) -> Tensor:
        x = F.interpolate(faces.to(self.fc.weight), (SIDE, SIDE), mode="bilinear", antialias=True)
        mean = torch.tensor(_MEAN, device=x.device, dtype=x.dtype)[:, None, None]
        return self.fc(self.blocks((x * 255 - mean) / 255).mean((2, 3)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FaceApiNetwork:
        """The network in a published `*_model.bin`; its manifest lies beside it.

        Raises:
            CheckpointError: a missing, truncated or other file.
        """
        path = Path(path)
        manifest = path.with_name(path.name.removesuffix(".bin") + "-weights_manifest.json")
        for needed in (path, manifest):
            if not needed.is_file():
                raise CheckpointError(
                    f"There is no file {needed}: download it from face-api.js's weights folder."
                )
        weights = _read(path, manifest)
        if "fc/bias" not in weights:
            raise CheckpointError(f"{path.name} is not a network of face-api.js: choose another file.")
        network = cls(len(weights["fc/bias"]))
        try:
            network.load_state_dict({key: weights[name].clone() for key, name in network._names().items()})
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"{path.name} is neither the landmark nor the expression network: choose one of them."
            ) from error
        return network

    def _names(self) -> dict[str, str]:
        """The published name of every parameter."""
        names = {"fc.weight": "fc/weights", "fc.bias": "fc/bias"}
        for block in range(len(self.blocks)):
            for layer in range(4):
                ours, theirs = f"blocks.{block}.layers.{layer}", f"dense{block}/conv{layer}"
                if block == layer == 0:
                    names |= {
                        f"{ours}.conv.weight": f"{theirs}/filters",
                        f"{ours}.conv.bias": f"{theirs}/bias",
                    }
                    continue
                names[f"{ours}.depthwise.weight"] = f"{theirs}/depthwise_filter"
                names[f"{ours}.pointwise.weight"] = f"{theirs}/pointwise_filter"
                names[f"{ours}.pointwise.bias"] = f"{theirs}/bias"
        return names


def _read(path: Path, manifest: Path) -> dict[str, Tensor]:
    """Tensors by name, in PyTorch's order of axes; bytes are scaled to the numbers they stand for."""
    if path.stat().st_size > _LARGEST or manifest.stat().st_size > _LARGEST:
        raise CheckpointError(f"{path.name} or its manifest is larger than a network of face-api.js.")
    content, offset, weights = path.read_bytes(), 0, {}
    try:
        groups = read_json(manifest.read_text(encoding="utf-8"), manifest.name)
        entries: list[dict[str, Any]] = [w for group in groups for w in group["weights"]]
        for entry in entries:
            count = math.prod(entry["shape"])
            packed = entry.get("quantization")
            kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
            if kind not in _KINDS or not 0 < count <= len(content):
                raise ValueError(entry["name"])
            values = np.frombuffer(content, kind, count, offset).astype(np.float32)
            offset += count * kind.itemsize
            if packed:
                values = values * np.float32(packed["scale"]) + np.float32(packed["min"])
            name, tensor = entry["name"], torch.from_numpy(values.reshape(entry["shape"]))
            weights[name] = _axes(name, finite(tensor, f"{name} in {path.name}"))
    except CheckpointError:
        raise
    except Exception as error:  # whatever a manifest says that is none
        raise CheckpointError(
            f"{path.name} is damaged or does not fit its manifest: download both again."
        ) from error
    return weights


def _axes(name: str, value: Tensor) -> Tensor:
    if name.endswith("depthwise_filter"):  # height, width, channels, 1
        return value.permute(2, 3, 0, 1)
    if value.ndim == 4:  # height, width, inputs, outputs
        return value.permute(3, 2, 0, 1)
    return value.T if value.ndim == 2 else value


class FaceLandmarks68:
    """68 landmarks in the iBUG order, in shares of the crop."""

    name = "face-api 68 landmarks"

    def __init__(self, network: FaceApiNetwork) -> None:
        if network.fc.out_features != 2 * POINTS:
            raise CheckpointError("This is not the landmark network: choose face_landmark_68_model.bin.")
        self.network = network

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """Crops [B, 3, H, W] in 0..1 -> (x, y) [B, 68, 2] on the CPU, 0..1 from the top left."""
        points = self.network(faces).unflatten(1, (POINTS, 2)).float().cpu()
        return check_result(points, "landmark network of face-api.js", SCORE_ADVICE)


class FaceExpressions:
    """Seven expressions: an `eadnet.metrics.expression.ExpressionClassifier`."""

    name = "face-api expressions"
    labels = EXPRESSIONS

    def __init__(self, network: FaceApiNetwork) -> None:
        if network.fc.out_features != len(EXPRESSIONS):
            raise CheckpointError("This is not the expression network: choose face_expression_model.bin.")
        self.network = network

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """Crops [B, 3, H, W] in 0..1 -> log-probabilities [B, 7] on the CPU."""
        chances = self.network(faces).float().log_softmax(1).cpu()
        return check_result(chances, "expression network of face-api.js", SCORE_ADVICE)


def mouth_opening_of(landmarks: Tensor) -> Tensor:
    """How far the lips are apart at their inner edge: [T, 68, 2] -> [T], in widths of the face.

    The mean of three gaps between the inner lips over the distance of the outer corners of the eyes.
    """
    gaps = (landmarks[:, [61, 62, 63]] - landmarks[:, [67, 66, 65]]).norm(dim=-1).mean(1)
    width = (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1)
    return gaps / width.clamp(min=1e-6)
