"""What the node registry gets: `comfy node pack` of this checkout, unpacked and loaded by a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.comfy.client import Client, Failed, Refused
from tests.comfy.conftest import make_comfy
from tests.fuzz.widgets import NEED_A_FILE, part_for, stage
from tests.in_comfy import ROOT
from tests.test_archive import archived
from tools.comfy_cli import ComfyCli
from tools.server import Server

pytestmark = [pytest.mark.comfy, pytest.mark.slow]
NODES = sorted(json.loads((ROOT / "tests" / "api_surface.json").read_text(encoding="utf-8")))
NAME = "ead-net"  # the folder that ComfyUI-Manager and `comfy node install ead-net` unpack into
COPY = "another copy (2) \u00fcn\u00ef"  # as of a clone that was forgotten beside it
# The checkout is installed into this Python, too: the import hook of that would lend what the archive lacks.
COMMAND_LINE = """
import runpy, sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in repr(finder)]
sys.path.insert(0, ".")
runpy.run_module("eadnet", run_name="__main__", alter_sys=True)
"""
EVERYTHING = """
import importlib, json, pkgutil, sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in repr(finder)]
sys.path.insert(0, ".")
import eadnet
lacking = []
for module in pkgutil.walk_packages(eadnet.__path__, "eadnet."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        lacking.append(error.name)
print(json.dumps(lacking))
"""
OPTIONAL: set[str] = set()  # packages that the user may install, imported where they are needed only
MEGABYTES = 40  # the weights are 29


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files git knows of, as they lie here now."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # else deleted, not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    # comfy-cli packs what git tracks; without git it packs whatever lies there, caches too.
    for command in (["init", "--quiet"], ["add", "--all", "--force"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def comfy_node(cli: ComfyCli, command: str, folder: Path) -> str:
    """What `comfy node COMMAND` says in a folder."""
    arguments: list[str | Path] = [
        cli.python,
        "-m",
        "comfy_cli",
        "--skip-prompt",
        "--no-json",
        "node",
        command,
    ]
    done = subprocess.run(
        arguments, cwd=folder, env=cli.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(cli: ComfyCli, checkout: Path) -> Path:
    comfy_node(cli, "pack", checkout)
    return checkout / "node.zip"


@pytest.fixture(scope="module")
def server(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose only custom nodes are the unpacked archive, and another copy of it."""
    base = tmp_path_factory.mktemp("comfy-with-archive")
    comfy = make_comfy(base)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(comfy.custom_nodes / NAME)
        packed.extractall(comfy.custom_nodes / COPY)
    with Server(comfy, base / "server.log") as running:
        yield running


def pack(server: Server) -> Path:
    """Where the unpacked archive lies."""
    return server.comfy.custom_nodes / NAME


def test_the_registry_finds_nothing_to_complain_about(cli: ComfyCli, checkout: Path) -> None:
    said = comfy_node(cli, "validate", checkout)
    assert "All validation checks passed" in said
    assert "warning" not in said.lower()


def test_the_archive_holds_the_files_that_are_meant(archive: Path) -> None:
    """Those of `tests/test_archive.py`, which says of each why it is there."""
    with zipfile.ZipFile(archive) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
    assert names == archived()
    assert archive.stat().st_size < MEGABYTES * 1e6


def test_a_second_copy_under_another_name_is_no_obstacle(server: Server) -> None:
    """ComfyUI takes a node from one of the two; addresses must not be entered twice."""
    log = server.log.read_text(encoding="utf-8")
    assert COPY in log and "IMPORT FAILED" not in log
    assert Client(server.port).get("/eadnet/peaks?file=ead-net-speech.wav")["seconds"] > 0


def test_every_node_is_there(server: Server) -> None:
    assert "IMPORT FAILED" not in server.log.read_text(encoding="utf-8")
    assert not set(NODES) - set(Client(server.port).get("/object_info"))


def test_every_help_page_picture_and_script_is_served(server: Server) -> None:
    client, web = Client(server.port), pack(server) / "web"
    files = [path.relative_to(web).as_posix() for path in web.rglob("*") if path.is_file()]
    assert {f"docs/{node}/en.md" for node in NODES} <= set(files)
    for name in files:
        assert client.request(f"/extensions/{NAME}/{name}") == (web / name).read_bytes()
    scripts = {f"/extensions/{NAME}/{name}" for name in files if name.endswith(".js")}
    assert scripts == {url for url in client.get("/extensions") if url.startswith(f"/extensions/{NAME}/")}


def test_every_workflow_and_its_picture_is_offered(server: Server) -> None:
    client = Client(server.port)
    graphs = {path.stem for path in (ROOT / "workflows").glob("*.json")}
    pictures = {path.stem for path in (ROOT / "workflows").glob("*.jpg")}
    assert pictures == graphs
    assert set(client.get("/workflow_templates")[NAME]) == graphs
    for path in (ROOT / "workflows").glob("*.*"):
        assert client.request(f"/api/workflow_templates/{NAME}/{quote(path.name)}") == path.read_bytes()


def test_every_blueprint_is_offered(server: Server) -> None:
    offered = Client(server.port).get("/global_subgraphs").values()
    ours = {entry["name"] for entry in offered if entry["info"]["node_pack"].endswith(NAME)}
    assert ours == {path.stem for path in (ROOT / "subgraphs").glob("*.json")}


def test_every_translation_is_offered(server: Server) -> None:
    languages = {path.parent.name for path in (ROOT / "locales").glob("*/nodeDefs.json")}
    offered = Client(server.port).get("/i18n")
    assert languages <= set(offered)
    assert all(set(offered[language].get("nodeDefs", {})) & set(NODES) for language in languages)


def test_every_node_runs_without_anything_that_was_left_out(server: Server) -> None:
    """Each once, with what it needs; all that a node imports on the way is imported from the archive."""
    assert server.comfy.base is not None
    graph, client = stage(server.comfy.base), Client(server.port)
    about = client.get("/object_info")
    ours = [name for name, node in graph.items() if node["class_type"].startswith("EADNet")]
    assert set(NODES) <= {graph[name]["class_type"] for name in ours}
    for name in ours:
        kind = graph[name]["class_type"]
        expected = pytest.raises((Failed, Refused)) if kind in NEED_A_FILE else nullcontext()
        with expected:
            client.run(part_for(graph, name, about[kind]["output_node"]))


def test_everything_in_the_archive_can_be_imported_without_what_was_left_out(server: Server) -> None:
    """Modules that a node imports only in some case, such as a detector whose file is there."""
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING], cwd=pack(server), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lacking = set(json.loads(done.stdout))
    assert lacking <= OPTIONAL, "imported at the top of a file of the archive"


def test_the_command_line_works_and_says_what_it_came_without(server: Server) -> None:
    def eadnet(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COMMAND_LINE, *arguments]
        return subprocess.run(
            command, cwd=pack(server), env={}, capture_output=True, text=True, check=False, timeout=300
        )

    assert eadnet("info", "eadnet/assets/mini.safetensors").returncode == 0
    refused = eadnet("synth", "clips", "--out", "clips")
    assert refused.returncode == 2
    assert "came without the synthetic world" in refused.stderr
    assert "Traceback" not in refused.stderr
