"""A `face_landmarker.task` with random weights: a zip archive of TensorFlow Lite graphs, from scratch.

The graphs have the published layers in the published order, and as in the published file most weights are
stored in half precision and widened by operators of their own.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from eadnet.checkpoints import component_class
from eadnet.landmarker_task import GRAPHS
from eadnet.tflite import MAGIC, OPERATORS

CODES = {name: code for code, name in OPERATORS.items()}


class Table(dict[int, Any]):
    """A FlatBuffer table: field numbers to an int, bytes, a list of ints, or a list of tables."""


def flatbuffer(root: Table) -> bytes:
    """The file of a table and all that is in it."""
    content = bytearray(struct.pack("<I4s", 0, MAGIC))

    def aligned() -> int:
        content.extend(b"\0" * (-len(content) % 4))
        return len(content)

    def refer(place: int, target: int) -> None:
        struct.pack_into("<I", content, place, target - place)

    def add(table: Table) -> int:
        fields = max(table, default=-1) + 1
        start = aligned()
        offsets = [4 + 4 * number if number in table else 0 for number in range(fields)]
        content.extend(struct.pack(f"<HH{fields}H", 4 + 2 * fields, 4 + 4 * fields, *offsets))
        place = aligned()
        content.extend(struct.pack("<i", place - start) + b"\0" * (4 * fields))
        for number, value in table.items():
            at = place + 4 + 4 * number
            if isinstance(value, int):
                struct.pack_into("<i", content, at, value)
                continue
            refer(at, aligned())
            start = aligned()
            if isinstance(value, bytes):
                content.extend(struct.pack("<I", len(value)) + value)
            elif all(isinstance(item, int) for item in value):
                content.extend(struct.pack(f"<I{len(value)}i", len(value), *value))
            else:
                content.extend(struct.pack("<I", len(value)) + b"\0" * (4 * len(value)))
                for index, item in enumerate(value):
                    refer(start + 4 + 4 * index, add(item))
        return place

    refer(0, add(root))
    return bytes(content)


@dataclass
class Graph:
    """A graph in the making: operators one after the other, with the numbers they hold."""

    tensors: list[Table] = field(default_factory=list)
    buffers: list[Table] = field(default_factory=lambda: [Table()])
    operators: list[Table] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def run(self, name: str, *weights: np.ndarray) -> None:
        """Add an operator that reads what is there (tensor 0) and these numbers."""
        self._operator(name, [0, *(self._widened(values) for values in weights)], [0])

    def _operator(self, name: str, inputs: list[int], outputs: list[int]) -> None:
        code = CODES.get(name, 127)
        if code not in self.codes:
            self.codes.append(code)
        self.operators.append(Table({0: self.codes.index(code), 1: inputs, 2: outputs}))

    def _widened(self, values: np.ndarray) -> int:
        stored = self._tensor(values.astype("<f2"), 1)
        self.tensors.append(Table({0: list(values.shape), 1: 0}))
        self._operator("dequantize", [stored], [len(self.tensors) - 1])
        return len(self.tensors) - 1

    def _tensor(self, values: np.ndarray, kind: int) -> int:
        self.buffers.append(Table({0: values.tobytes()}))
        self.tensors.append(Table({0: list(values.shape), 1: kind, 2: len(self.buffers) - 1}))
        return len(self.tensors) - 1

    def file(self) -> bytes:
        codes = [Table({0: code, 3: code}) for code in self.codes]
        part = Table({0: self.tensors, 1: [0], 2: [0], 3: self.operators})
        return flatbuffer(Table({0: 3, 1: codes, 2: [part], 4: self.buffers}))


def graph_of(network: nn.Module) -> bytes:
    """A network of ours as a TensorFlow Lite graph."""
    graph = Graph()
    graph.tensors.append(Table({0: [1], 1: 0}))
    for module in network.modules():
        own = {key: value.detach().numpy() for key, value in module.named_parameters(recurse=False)}
        if isinstance(module, nn.Conv2d):
            apart = module.groups > 1
            axes = (1, 2, 3, 0) if apart else (0, 2, 3, 1)
            weight = own["weight"].transpose(axes)
            graph.run("depthwise_conv" if apart else "conv", weight, own["bias"])
            graph.run("other")
        elif isinstance(module, nn.PReLU):
            graph.run("prelu", own["weight"].reshape(1, 1, -1))
        elif isinstance(module, nn.Linear):
            graph.run("conv", own["weight"][:, None, None], own["bias"])
        elif type(module).__name__ == "_Token":
            graph.run("concatenation", own["weight"].reshape(1, 1, 1, -1))
        elif own:  # the gain of a layer normalisation
            graph.run("add", np.array(1e-6))
            graph.run("mul", own["weight"])
    return graph.file()


def random_networks(seed: int = 0) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    networks = {name: component_class(class_name)() for name, (_, class_name) in GRAPHS.items()}
    for network in networks.values():
        for value in network.parameters():
            value.data = torch.randn_like(value).mul(0.1).half().float()
    return networks


def write_task(path: Path, networks: Mapping[str, nn.Module], without: Sequence[str] = ()) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, network in networks.items():
            if name not in without:
                archive.writestr(GRAPHS[name][0], graph_of(network))
    return path
