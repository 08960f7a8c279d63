"""Train the adapter of the tests from networks and set that are there: run in one process or in many."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eadnet.training.on_set import OnSet
from eadnet.training.recipes.adapter import Files, train_adapter
from tests.training.prepared_world import tiny_preset


def main(folder: str, directory: str, out: str, how: str) -> None:
    networks = Path(folder)
    others = networks / "others.safetensors"
    files = Files(networks / "base.safetensors", others, others, networks / "whisper.safetensors")
    train_adapter(Path(directory), Path(out), files, OnSet(**json.loads(how)), tiny_preset())


if __name__ == "__main__":
    main(*sys.argv[1:])
