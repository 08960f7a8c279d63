"""A real ComfyUI server with the pack and a tiny random checkpoint, one for the session; and comfy-cli."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.comfy.client import Studio
from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tests.tiny import write_tiny_checkpoint
from tools.comfy_cli import ComfyCli
from tools.comfyui import ComfyUI, link_pack, make_base
from tools.server import Server


def make_comfy(base: Path) -> ComfyUI:
    """ComfyUI with a base directory of its own, in which the tiny checkpoint lies, and no pack yet."""
    if not has_comfy():
        pytest.skip(MISSING)
    make_base(base)
    write_tiny_checkpoint(base / "models" / "eadnet" / "tiny.safetensors")
    return ComfyUI(TREE, Path(sys.executable), base)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, with the pack as it lies here."""
    base = tmp_path_factory.mktemp("comfy")
    comfy = make_comfy(base)
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    with Server(comfy, base / "server.log", arguments=["--preview-method", "latent2rgb"]) as running:
        yield running


@pytest.fixture
def studio(server: Server, tmp_path: Path) -> Studio:
    """Makes talking portraits on the server."""
    return Studio(server, tmp_path)


@pytest.fixture(scope="session")
def cli() -> ComfyCli:
    """comfy-cli, from beside the ComfyUI of the tests."""
    found = ComfyCli(TREE.parents[1])
    if not found.python.is_file():
        pytest.skip(f"no comfy-cli in {found.folder}: run `python run.py test`")
    return found
