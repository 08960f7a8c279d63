"""Who may import whom. The rules are in CONTRIBUTING.md; here they are checked in the sources."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.in_comfy import MISSING, ROOT, has_comfy, run_in_comfy

COMFY = {"comfy", "comfy_extras", "comfy_execution", "folder_paths", "latent_preview", "server", "execution"}
FLOW = ("media", "faces", "captions", "modules", "sampling", "metrics")  # data flows right, imports go left
RUNTIME = {
    "torch",
    "numpy",
    "scipy",
    "einops",
    "imageio",
    "safetensors",
    "transformers",
    "diffusers",
    "av",
    "PIL",
}
OPTIONAL = {"cv2", "mediapipe"}  # to find and measure faces: imported when used, and missed with a message
ASK_FOR_THEM = ("faces/yunet.py", "faces/mediapipe.py", "captions/mediapipe_faces.py")
WORKSHOP = ("synthetic", "training")  # may use more: what makes and trains models never runs inside ComfyUI


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no sources in {folder}"
    return found


def imports(path: Path) -> Iterator[str]:
    """Absolute names of what a file imports, in functions too: `nodes.host`, `eadnet.errors`, `torch`."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def offences(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if any(within(name, package) for package in forbidden)
    ]


def strangers(paths: list[Path], friends: set[str]) -> list[str]:
    known = friends | set(sys.stdlib_module_names)
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if name.partition(".")[0] not in known
    ]


def test_the_library_knows_nothing_of_comfyui() -> None:
    assert not offences(sources("eadnet"), COMFY | {"comfy_api", "nodes", "tools", "tests"})


def test_only_the_host_module_touches_comfyuis_own_modules() -> None:
    others = [path for path in sources("nodes") if path.name != "host.py"]
    assert not offences(others, COMFY)


def test_nodes_know_nothing_of_training() -> None:
    forbidden = {f"eadnet.{package}" for package in WORKSHOP} | {"tools", "tests"}
    assert not offences([ROOT / "__init__.py", *sources("nodes")], forbidden)


@pytest.mark.parametrize("package", FLOW)
def test_data_flows_one_way(package: str) -> None:
    later = {f"eadnet.{name}" for name in FLOW[FLOW.index(package) + 1 :]}
    above = {f"eadnet.{name}" for name in ("pipeline", "cli", "convert", "adapters", "evaluation", *WORKSHOP)}
    assert not offences(sources(f"eadnet/{package}"), later | above)


def test_the_library_runs_on_what_comfyui_has_and_diffusers() -> None:
    paths = [p for p in sources("eadnet") if p.relative_to(ROOT / "eadnet").parts[0] not in WORKSHOP]
    detectors = [ROOT / "eadnet" / name for name in ASK_FOR_THEM]
    assert not strangers([p for p in paths if p not in detectors], RUNTIME | {"eadnet"})
    assert not strangers(detectors, RUNTIME | OPTIONAL | {"eadnet"})


def test_optional_packages_are_imported_in_functions_only() -> None:
    for name in ASK_FOR_THEM:
        tree = ast.parse((ROOT / "eadnet" / name).read_text(encoding="utf-8"))
        top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {alias.name for n in top for alias in n.names}
        assert not names & OPTIONAL


def test_the_set_up_needs_the_standard_library_only() -> None:
    assert not strangers([ROOT / "run.py", *sources("tools")], {"tools"})


IMPORT = """
import gc, json, time
import torch
import comfy_api.latest, comfy.sd, comfy.model_management, folder_paths, latent_preview
modules = lambda: sum(isinstance(thing, torch.nn.Module) for thing in gc.get_objects())
before, start = modules(), time.process_time()
load_pack()
seconds = time.process_time() - start
names = ["diffusers", "cv2", "mediapipe", "matplotlib", "espeakng_loader", "torchvision"]
print("FACTS" + json.dumps({"seconds": seconds, "networks": modules() - before, "heavy": names}))
"""


@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_importing_the_pack_is_quick_and_loads_no_model(tmp_path: Path) -> None:
    facts = json.loads(run_in_comfy(IMPORT, tmp_path).rpartition("FACTS")[2])
    assert facts["networks"] == 0
    assert facts["seconds"] < 1.0, "processor time beyond what ComfyUI has imported by itself"
