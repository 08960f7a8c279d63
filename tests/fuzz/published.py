"""Border: a weights file as others publish it, which is a pickle. It is read and recognised."""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict
from pathlib import Path
from random import Random
from typing import Any

import torch

from eadnet.published import detect
from tests.fuzz.strange import damaged, text, value
from tests.pickles import doubled_tuple, keyed, lists, storage_named, tuples

_WEIGHTS = {"netcnnaud.0.weight": torch.ones(3, 2), "netcnnlip.0.weight": torch.ones(3, 2)}
_WRAPPERS = ("state_dict", "model_state_dict", "module", "model", "ema", "dims", "optimizer", "epoch")


class Subject:
    """Files with weights among nested tuples, lists and mappings; with a pickle that no one would write; with
    anything changed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "strange.pt"
        self.attempt(self._saved(_WEIGHTS))  # what is imported late is imported now

    def make(self, random: Random) -> Path:
        kind = random.random()
        if kind < 0.3:
            return self._saved(self._tree(random))
        if kind < 0.6:
            self._saved(self._tree(random), zipped=(zipped := random.random() < 0.5))
            whole = self.path.read_bytes()
            self.path.write_bytes(damaged(_content(whole), random) if zipped else damaged(whole, random))
            return self._archived(self.path.read_bytes()) if zipped else self.path
        many = random.choice((2, 3, 50, 99, 101, 1000, 30_000))
        inner = random.choice((tuples, lists))(many)
        inner = doubled_tuple(min(many, 200)) if random.random() < 0.3 else inner
        return self._archived(random.choice((keyed, storage_named))(inner))

    def attempt(self, path: Path) -> str:
        published = detect(path)
        for tensor in published.tensors.values():
            tensor.double().sum()
        return published.kind

    def _tree(self, random: Random) -> Any:
        tree: Any = OrderedDict(_WEIGHTS)
        for _ in range(random.randint(0, 4)):
            other = random.choice(
                (value(random), (1, (2.0, ("a", ()))), [[(3,)], {"b": (4,)}], torch.ones(2))
            )
            tree = random.choice(
                (
                    {random.choice(_WRAPPERS): tree, random.choice(_WRAPPERS): other},
                    {"state_dict": tree, text(random)[:50]: other},
                    {(1, (text(random)[:9], 2)): other, **(tree if isinstance(tree, dict) else {})},
                    (other, tree),
                    [tree],
                )
            )
        return tree

    def _saved(self, tree: Any, zipped: bool = True) -> Path:
        torch.save(tree, self.path, _use_new_zipfile_serialization=zipped)
        return self.path

    def _archived(self, content: bytes) -> Path:
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("a/data.pkl", content)
            archive.writestr("a/version", "3\n")
            archive.writestr("a/byteorder", "little")
            for number in range(3):
                archive.writestr(f"a/data/{number}", bytes(24))
        return self.path


def _content(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(next(name for name in opened.namelist() if name.endswith("data.pkl")))
