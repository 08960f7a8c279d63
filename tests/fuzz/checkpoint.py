"""Border: a weights file. Its header is read and judged, then the networks are built from it and used."""

from __future__ import annotations

import copy
import json
import struct
from pathlib import Path
from random import Random
from typing import Any

from eadnet.adapters import read_adapter_info
from eadnet.checkpoints import count_parameters, load_checkpoint, read_info
from eadnet.rendering import RenderSettings
from tests.fuzz.strange import NUMBERS, changed, damaged, text, value
from tests.tiny import write_tiny_checkpoint


class Subject:
    """Files made from the tiny checkpoint by changing its description, its table of tensors, or any bytes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "strange.safetensors"
        whole = write_tiny_checkpoint(folder / "tiny.safetensors").read_bytes()
        (size,) = struct.unpack("<Q", whole[:8])
        self.table: dict[str, Any] = json.loads(whole[8 : 8 + size])
        self.info: dict[str, Any] = json.loads(self.table["__metadata__"]["eadnet"])
        self.tensors, self.whole = whole[8 + size :], whole
        self.path.write_bytes(whole)
        self.attempt(self.path)  # what is imported late is imported now

    def make(self, random: Random) -> Path:
        kind = random.random()
        if kind < 0.65:
            self.path.write_bytes(self._with_table(self._described(random)))
        elif kind < 0.8:
            table = copy.deepcopy(self.table)
            del table["__metadata__"]
            table = changed(table, random)
            if isinstance(table, dict):
                table["__metadata__"] = self.table["__metadata__"]
            self.path.write_bytes(self._with_table(_dumped(table)))
        elif kind < 0.9:
            self.path.write_bytes(damaged(self.whole, random, 0, 8 + len(self.whole) - len(self.tensors)))
        else:
            self.path.write_bytes(damaged(self.whole, random))
        return self.path

    def _described(self, random: Random) -> str:
        """A table whose description says something else."""
        info = copy.deepcopy(self.info)
        kind = random.random()
        if kind < 0.4:  # one number of one network's configuration
            entry = random.choice(list(info["components"].values()))
            entry["config"] = changed(entry["config"], random, lambda r: r.choice(NUMBERS))
        elif kind < 0.8:
            info = changed(info, random)
        elif kind < 0.9:
            random.choice(list(info["components"].values()))["class"] = text(random)[:300]
        described = json.dumps(info)
        if kind >= 0.9:
            described = random.choice(
                ("[" * 100_000, text(random), json.dumps(value(random)), described[:-5])
            )
        return _dumped({**self.table, "__metadata__": {"eadnet": described}})

    def _with_table(self, table: str) -> bytes:
        data = table.encode("utf-8", "surrogatepass")
        return struct.pack("<Q", len(data)) + data + self.tensors

    def attempt(self, path: Path) -> str:
        info = read_info(path)
        count_parameters(path)
        checkpoint = load_checkpoint(path)
        about = (
            checkpoint.preset,
            checkpoint.resolution,
            checkpoint.fps,
            checkpoint.mask_region,
            checkpoint.framing,
        )
        RenderSettings().sampling(checkpoint)
        if "adapter" in info:
            read_adapter_info(path, info)
        return " ".join(map(str, about))


def _dumped(table: Any) -> str:
    return json.dumps(table)
