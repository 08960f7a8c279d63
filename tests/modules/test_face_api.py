"""face-api's networks: the published files are read, and read right where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eadnet.errors import CheckpointError, InputError
from eadnet.modules.face_api import (
    EXPRESSIONS,
    FaceApiNetwork,
    FaceExpressions,
    FaceLandmarks68,
    mouth_opening_of,
)


def write_published(folder: Path, outputs: int, name: str = "net_model") -> Path:
    """A file in the published format, with quantised and plain entries, of random weights."""
    random = np.random.default_rng(0)
    network, entries, content = FaceApiNetwork(outputs), [], b""
    state = network.state_dict()
    for key, published in network._names().items():
        shape = list(state[key].shape)
        if published.endswith("depthwise_filter"):
            shape = [shape[2], shape[3], shape[0], 1]
        elif len(shape) == 4:
            shape = [shape[2], shape[3], shape[1], shape[0]]
        elif len(shape) == 2:
            shape = shape[::-1]
        entry: dict[str, Any] = {"name": published, "shape": shape, "dtype": "float32"}
        if published.endswith("bias"):
            content += random.normal(0, 0.1, shape).astype("<f4").tobytes()
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.01, "min": -1.2}
            content += random.integers(0, 255, shape, np.uint8).tobytes()
        entries.append(entry)
    (folder / f"{name}-weights_manifest.json").write_text(json.dumps([{"weights": entries}]))
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    return path


def test_bytes_stand_for_scaled_numbers_in_pytorchs_order_of_axes(tmp_path):
    path = write_published(tmp_path, 7)
    network = FaceApiNetwork.load(path)
    names = list(network._names().values())
    before = sum(  # fc comes first in our list of names
        4 * 7 if n.endswith("bias") else 256 * 7 for n in names[: names.index("dense0/conv0/filters")]
    )
    first = np.frombuffer(path.read_bytes(), np.uint8, 864, before).reshape(3, 3, 3, 32)
    expected = torch.from_numpy(first.astype(np.float32) * np.float32(0.01) - np.float32(1.2)).permute(
        3, 2, 0, 1
    )
    torch.testing.assert_close(network.state_dict()["blocks.0.layers.0.conv.weight"], expected)


def test_expressions_are_probabilities_of_seven(tmp_path):
    classify = FaceExpressions(FaceApiNetwork.load(write_published(tmp_path, 7)))
    read = classify(torch.rand(2, 3, 40, 30))
    assert read.shape == (2, len(EXPRESSIONS))
    torch.testing.assert_close(read.exp().sum(1), torch.ones(2))


@pytest.mark.parametrize("damage", ["missing", "no manifest", "short", "foreign"])
def test_files_that_do_not_fit_are_refused(tmp_path, damage):
    path = write_published(tmp_path, 7)
    if damage == "missing":
        path.unlink()
    elif damage == "no manifest":
        path.with_name("net_model-weights_manifest.json").unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        path.with_name("net_model-weights_manifest.json").write_text("[{}]")
    with pytest.raises(CheckpointError):
        FaceApiNetwork.load(path)


def test_the_expression_network_is_not_taken_for_landmarks(tmp_path):
    with pytest.raises(CheckpointError, match="landmark"):
        FaceLandmarks68(FaceApiNetwork.load(write_published(tmp_path, 7)))


def test_opening_is_the_gap_of_the_inner_lips_in_widths_of_the_face():
    points = torch.zeros(2, 68, 2)
    points[:, 45, 0] = 2.0
    points[1, [65, 66, 67], 1] = 0.5
    assert mouth_opening_of(points).tolist() == [0.0, 0.25]


@pytest.mark.parametrize(("outputs", "reader"), [(7, FaceExpressions), (136, FaceLandmarks68)])
def test_results_that_are_no_numbers_are_named(tmp_path, outputs, reader):
    network = FaceApiNetwork.load(write_published(tmp_path, outputs))
    with torch.no_grad():
        network.fc.bias[0] = torch.nan
    with pytest.raises(InputError, match="network of face-api.js's result is not finite"):
        reader(network)(torch.rand(1, 3, 20, 20))
