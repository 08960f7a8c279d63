"""The first click: every template, as it is in the gallery, on an installation with nothing but the pack."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from eadnet.media.video import read_video
from tests.comfy.client import Client, Refused
from tests.comfy.conftest import make_comfy
from tests.in_comfy import ROOT
from tools.comfy_cli import ComfyCli
from tools.comfyui import LINK, link_pack
from tools.errors import ServerError
from tools.server import Server
from tools.templates.pages import PAGES, Page
from tools.workflow import load_workflow

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
WORKFLOWS = sorted({page.workflow for page in PAGES})
SAVES = ("SaveVideo", "EADNetRenderVideo")  # in this order: where both are there, the second's film is kept
NEEDS_WEIGHTS = ("lipsync_with_latentsync", "photo_rig_with_latentsync_lips")
# Only of the bundled portrait is it known where its face lies; in a video the landmarker has to look.
LANDMARKER = ROOT.parent / "shared" / "models" / "face_landmarker_v2_with_blendshapes.task"
NEEDS_LANDMARKER = ("re_emote_a_video", "performance_moves_a_portrait")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with empty folders, into which the pack has put its examples."""
    base = tmp_path_factory.mktemp("first-click")
    comfy = make_comfy(base)
    (base / "models" / "eadnet" / "tiny.safetensors").unlink()
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    with Server(comfy, base / "server.log") as running:
        yield running


def api(name: str) -> dict:
    """The template's graph as a program queues it: `tests/tools` holds that both are the same."""
    return load_workflow(ROOT / "workflows" / "api" / f"{name}.json")


def test_the_gallery_has_every_template_and_no_other(server: Server) -> None:
    assert set(Client(server.port).get("/workflow_templates")[LINK]) == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_template_and_its_picture_are_served(server: Server, page: Page) -> None:
    name = quote(page.name)
    client = Client(server.port)
    assert client.get(f"/api/workflow_templates/{LINK}/{name}.json")["nodes"]
    assert client.request(f"/api/workflow_templates/{LINK}/{name}.jpg")


bundled = pytest.mark.parametrize(
    "name", [name for name in WORKFLOWS if name not in NEEDS_WEIGHTS + NEEDS_LANDMARKER]
)


@bundled
def test_run_makes_a_video_with_sound_at_the_first_click(server: Server, name: str) -> None:
    look_at_film(server, Client(server.port).run(api(name)))


@bundled
def test_comfy_run_makes_it_too(server: Server, cli: ComfyCli, name: str, tmp_path: Path) -> None:
    """Under another name: what the server has made before it does not make again."""
    look_at_film(server, cli.run(renamed(api(name), tmp_path), server.port))


@pytest.mark.skipif(not LANDMARKER.is_file(), reason="needs MediaPipe's face landmarker in ../shared/models")
@pytest.mark.parametrize("name", NEEDS_LANDMARKER)
def test_with_the_landmarker_installed_the_others_run_too(
    server: Server, cli: ComfyCli, name: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=r"face_landmarker\.task"):
        Client(server.port).run(api(name))
    assert server.comfy.base is not None
    faces = server.comfy.base / "models" / "eadnet" / "faces"
    faces.mkdir(parents=True, exist_ok=True)
    installed = faces / "face_landmarker.task"
    shutil.copyfile(LANDMARKER, installed)
    try:
        look_at_film(server, Client(server.port).run(api(name)))
        look_at_film(server, cli.run(renamed(api(name), tmp_path), server.port))
    finally:
        installed.unlink()


def renamed(workflow: dict, folder: Path) -> Path:
    """The workflow as a file, its film under another name."""
    kind = next(kind for kind in SAVES if any(node["class_type"] == kind for node in workflow.values()))
    for node in workflow.values():
        if node["class_type"] == kind:
            node["inputs"]["filename_prefix"] += "_by_comfy_cli"
    path = folder / "workflow.json"
    path.write_text(json.dumps(workflow), encoding="utf-8")
    return path


def look_at_film(server: Server, made: list[dict]) -> None:
    assert server.comfy.base is not None
    video = next(item for item in made if item["filename"].endswith(".mp4"))
    frames = read_video(server.comfy.base / "output" / video["subfolder"] / video["filename"]).frames
    assert len(frames) >= 75
    assert frames.std(axis=0).max() > 5  # something moves


@pytest.mark.parametrize("name", NEEDS_WEIGHTS)
def test_what_is_missing_for_the_public_weights_is_said_before_the_run(server: Server, name: str) -> None:
    with pytest.raises(Refused, match=r"latentsync-1\.6\.safetensors"):
        Client(server.port).run(api(name))


@pytest.mark.parametrize("name", NEEDS_WEIGHTS)
def test_comfy_run_says_so_too(server: Server, cli: ComfyCli, name: str, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"latentsync-1\.6\.safetensors"):
        cli.run(renamed(api(name), tmp_path), server.port)
