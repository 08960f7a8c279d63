"""A server and a browser for every frontend and renderer, one after the other. Without them it skips.

Frontends are the one that ComfyUI of the tests comes with, 1.32.9, and the newest one, which `run.py test`
downloads. With EADNET_SCREENSHOTS=FOLDER the tests leave pictures of what they saw.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.window import Window, window
from tests.comfy.conftest import make_comfy
from tests.in_comfy import ROOT
from tools.browser import frontend_in
from tools.comfyui import link_pack
from tools.server import Server

RENDERERS = {"classic": False, "nodes 2.0": True}


@pytest.fixture(scope="module", params=["oldest frontend", "newest frontend"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An empty installation with the pack, and one of the frontends."""
    pytest.importorskip("playwright", reason="no Playwright in this Python: run `python run.py test`")
    arguments = []
    if request.param == "newest frontend":
        folder = frontend_in(Path(os.environ.get("EADNET_FRONTEND", ROOT / ".comfyui" / "frontend")))
        if folder is None:
            pytest.skip("no other frontend was downloaded: run `python run.py test`")
        arguments = ["--front-end-root", str(folder)]
    base = tmp_path_factory.mktemp("browser")
    comfy = make_comfy(base)
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    with Server(comfy, base / "server.log", arguments=arguments) as running:
        yield running


@pytest.fixture(scope="module", params=RENDERERS)
def shown(request: pytest.FixtureRequest, server: Server) -> Iterator[Window]:
    """A window on that server in one of the renderers, loaded."""
    from playwright.sync_api import Error

    try:
        with window(server.url) as opened:
            opened.load(nodes_2=RENDERERS[request.param])
            yield opened
    except Error as error:
        if "Executable doesn't exist" not in str(error):
            raise
        pytest.skip("no Chromium on this machine: install one, or `python -m playwright install chromium`")


@pytest.fixture
def screenshots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where this test's pictures go."""
    chosen = os.environ.get("EADNET_SCREENSHOTS")
    return Path(chosen) if chosen else tmp_path
