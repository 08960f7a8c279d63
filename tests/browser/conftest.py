"""A server and a browser for every frontend and renderer, one after the other. Without them it skips.

Frontends are the one that ComfyUI of the tests comes with, 1.32.9, and the newest one, which `run.py test`
downloads. With EADNET_SCREENSHOTS=FOLDER the tests leave pictures of what they saw.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.window import Window, window
from tests.comfy.conftest import make_comfy
from tests.comfy.test_templates import LANDMARKER
from tests.in_comfy import ROOT
from tools.browser import frontend_in
from tools.comfyui import link_pack
from tools.server import Server

FRONTENDS = ("oldest frontend", "newest frontend")
ANOTHER_PACK = """
class Other:
    CATEGORY, RETURN_TYPES, FUNCTION, OUTPUT_NODE = "other", (), "run", True
    INPUT_TYPES = classmethod(lambda cls: {"required": {"number": ("INT", {"default": 1})}})
    def run(self, number):
        return ()
NODE_CLASS_MAPPINGS = {"EADNetTestsOther": Other}
NODE_DISPLAY_NAME_MAPPINGS = {"EADNetTestsOther": "Other Node"}
"""
RENDERERS = {"classic": False, "nodes 2.0": True}


@pytest.fixture(scope="session", params=FRONTENDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the pack, one of the frontends and, where there is one, the landmarker."""
    pytest.importorskip("playwright", reason="no Playwright in this Python: run `python run.py test`")
    # No larger cache: of a node whose output is kept the page gets no picture, and that is looked at, too.
    arguments: list[str] = []
    if request.param != FRONTENDS[0]:
        folder = frontend_in(Path(os.environ.get("EADNET_FRONTEND", ROOT / ".comfyui" / "frontend")))
        if folder is None:
            pytest.skip("no other frontend was downloaded: run `python run.py test`")
        arguments += ["--front-end-root", str(folder)]
    base = tmp_path_factory.mktemp("browser")
    comfy = make_comfy(base)
    if LANDMARKER.is_file():
        faces = base / "models" / "eadnet" / "faces"
        faces.mkdir(parents=True)
        shutil.copyfile(LANDMARKER, faces / "face_landmarker.task")
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    _write_another_pack(comfy.custom_nodes / "another_pack")
    with Server(comfy, base / "server.log", arguments=arguments) as running:
        yield running.url


def _write_another_pack(folder: Path) -> None:
    """One node, with its name in Chinese: what frontends do with translations of packs in general."""
    (folder / "locales" / "zh").mkdir(parents=True)
    (folder / "__init__.py").write_text(ANOTHER_PACK, encoding="utf-8")
    names = {"EADNetTestsOther": {"display_name": "别的节点"}}
    (folder / "locales" / "zh" / "nodeDefs.json").write_text(json.dumps(names), encoding="utf-8")


@pytest.fixture(scope="module", params=RENDERERS)
def shown(request: pytest.FixtureRequest, url: str) -> Iterator[Window]:
    """A window on that server in one of the renderers, loaded."""
    from playwright.sync_api import Error

    try:
        with window(url) as opened:
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


@pytest.fixture
def combination(request: pytest.FixtureRequest) -> str:
    """Frontend and renderer, as a part of a file's name."""
    _, _, values = request.node.name.partition("[")
    parts = values.rstrip("]").split("-")
    return "-".join(part.replace(" ", "_") for part in parts if part in {*FRONTENDS, *RENDERERS})
