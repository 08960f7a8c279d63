"""A real ComfyUI server with the pack and a tiny random checkpoint, one for the whole session."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.comfy.client import Studio
from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tests.tiny import write_tiny_checkpoint
from tools.comfyui import ComfyUI, link_pack, make_base
from tools.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, with a base directory of its own."""
    if not has_comfy():
        pytest.skip(MISSING)
    base = tmp_path_factory.mktemp("comfy")
    make_base(base)
    link_pack(ROOT, base / "custom_nodes", ours=True)
    write_tiny_checkpoint(base / "models" / "eadnet" / "tiny.safetensors")
    comfy = ComfyUI(TREE, Path(sys.executable), base)
    with Server(comfy, base / "server.log", arguments=["--preview-method", "latent2rgb"]) as running:
        yield running


@pytest.fixture
def studio(server: Server, tmp_path: Path) -> Studio:
    """Makes talking portraits on the server."""
    return Studio(server, tmp_path)
