"""Who may import whom: the layers, from the lowest up. see docs/architecture.md."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.in_comfy import MISSING, ROOT, has_comfy, run_in_comfy

# A layer is a file or a folder; it imports what stands before it in this list, and nothing after. The nodes
# come last, so nothing else can import them.
LAYERS = (
    "tools",
    "eadnet.printable",
    "eadnet.errors",
    "eadnet.gaussian",
    "eadnet.paths",
    "eadnet.secrets",
    "eadnet.finite",
    "eadnet.dataset_format",
    "eadnet.fingerprints",
    "eadnet.memory",
    "eadnet.mixed_tokens",
    "eadnet.downloads",
    "eadnet.tflite",
    "eadnet.weights",
    "eadnet.network_config",
    "eadnet.media",
    "eadnet.modules",
    "eadnet.sampling",
    "eadnet.presets",
    "eadnet.checkpoints",
    "eadnet.landmarker_task",
    "eadnet.adapters",
    "eadnet.pickle_check",
    "eadnet.published",
    "eadnet.convert",
    "eadnet.convert_lpips",
    "eadnet.converted",
    "eadnet.faces",
    "eadnet.rig",
    "eadnet.captions",
    "eadnet.metrics",
    "eadnet.rendering",
    "eadnet.driving",
    "eadnet.pipeline",
    "eadnet.evaluation",
    "eadnet.preparation",
    # Training is one chain. The drawn world stands over it, so only the recipes know it: the same tasks train
    # on clips of other origin.
    "eadnet.training.data",
    "eadnet.training.on_set",
    "eadnet.training.curves",
    "eadnet.training.processes",
    "eadnet.training.sharding",
    "eadnet.training.trainer",
    "eadnet.training.regressors",
    "eadnet.training.losses",
    "eadnet.training.tasks",
    "eadnet.synthetic",
    "eadnet.training.recipes",
    "eadnet.training.__main__",
    "eadnet.cli",
    "eadnet.__main__",
    "experiments",
    "benchmarks",
    "nodes.host",
    "nodes",
)
PACKAGES = ("eadnet", "nodes", "experiments", "benchmarks", "tools")

COMFY = {"comfy", "comfy_extras", "comfy_execution", "folder_paths", "latent_preview", "server", "execution"}
RUNTIME = {
    *("torch", "numpy", "scipy", "einops", "safetensors", "transformers", "av", "PIL"),  # ComfyUI brings them
    *("diffusers", "imageio"),  # requirements.txt
}
OPTIONAL = {"cv2"}  # to find faces: imported when used, and missed with a message
NEED_OPTIONAL = ("faces/detectors/yunet.py",)
TRAINING = (
    "preparation",
    "synthetic",
    "training",
)  # may use more: what makes and trains models never runs inside ComfyUI
# Slow to import, and not needed before something runs.
HEAVY = {
    *("cv2", "diffusers", "espeakng_loader", "imageio", "librosa", "matplotlib", "mediapipe"),
    *("numba", "scipy.signal", "sklearn", "soundfile", "sympy", "torchvision", "transformers"),
}


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no sources in {folder}"
    return found


@cache
def statements(path: Path) -> list[tuple[str, list[str]]]:
    """What a file imports, by absolute names: a module, and what is taken from it (nothing: itself).

    Imports in functions and those for types only are imports, too: who names a thing, knows it.
    """
    package = path.relative_to(ROOT).parent.parts
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.append((module, [alias.name for alias in node.names]))
    return found


def imports(path: Path) -> Iterator[str]:
    """All those names in one: `eadnet.errors`, `eadnet.errors.InputError`, `torch`."""
    for module, names in statements(path):
        yield module
        yield from (f"{module}.{name}" for name in names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@lru_cache(maxsize=1)
def graph() -> dict[str, set[str]]:
    """Every file of these packages by its dotted name, and the files that it imports itself."""
    files = {}
    for path in (path for folder in PACKAGES if (ROOT / folder).is_dir() for path in sources(folder)):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found = {}
    for name, path in files.items():
        taken = {
            f"{module}.{part}" if f"{module}.{part}" in files else module
            for module, parts in statements(path)
            for part in parts or [""]
        }
        found[name] = taken & files.keys() - {name}
    return found


def layer(name: str) -> str | None:
    """The layer of a file; None for the packages' own `__init__`s, which say nothing."""
    if name in ("eadnet", "eadnet.training"):
        return None
    known = [layer for layer in LAYERS if within(name, layer)]
    return max(known, key=len) if known else "nowhere"


def offences(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if any(within(name, package) for package in forbidden)
    ]


def undeclared(paths: list[Path], allowed: set[str]) -> list[str]:
    known = allowed | set(sys.stdlib_module_names)
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(path)
        if name.partition(".")[0] not in known
    ]


def test_all_layers_are_there() -> None:
    names = set(graph())
    assert not [layer for layer in LAYERS if not any(within(name, layer) for name in names)]


def test_every_file_is_in_a_layer() -> None:
    assert not [name for name in graph() if layer(name) == "nowhere"]


@pytest.mark.parametrize("subject", LAYERS)
def test_a_layer_imports_from_the_layers_below_it(subject: str) -> None:
    height = {layer: number for number, layer in enumerate(LAYERS)}
    upwards = [
        f"{name} imports {imported}"
        for name, taken in graph().items()
        if layer(name) == subject
        for imported in sorted(taken)
        if (other := layer(imported)) is not None and height.get(other, len(LAYERS)) > height[subject]
    ]
    assert not upwards


def test_no_files_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_circles_are_seen() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()
    assert "eadnet.errors" in graph()["eadnet.faces.face_track"], "relative imports are followed"
    assert "nodes.host" in graph()["nodes.faces"], "and those of a package"


def test_every_log_line_goes_through_the_filter() -> None:
    """A module that takes `logging.getLogger` itself could log what no log can hold."""
    own = re.compile(r"logging\.(getLogger\(__name__\)|debug\(|info\(|warning\(|error\(|exception\()")
    takers = [
        str(path.relative_to(ROOT))
        for path in [*sources("eadnet"), *sources("nodes")]
        if own.search(path.read_text(encoding="utf-8"))
    ]
    assert not takers


def test_the_library_knows_nothing_of_comfyui() -> None:
    assert not offences(sources("eadnet"), COMFY | {"comfy_api", "nodes", "tools", "tests"})


def test_only_the_host_touches_comfyuis_own_modules() -> None:
    others = [path for path in sources("nodes") if path.parent.name != "host"]
    assert not offences(others, COMFY)


def test_nodes_know_nothing_of_training_and_experiments() -> None:
    forbidden = {f"eadnet.{package}" for package in TRAINING} | {
        *("eadnet.cli", "experiments", "benchmarks", "tools", "tests")
    }
    assert not offences([ROOT / "__init__.py", *sources("nodes")], forbidden)


def test_the_command_line_trains_by_one_file_and_does_not_experiment() -> None:
    forbidden = {"eadnet.training", "experiments", "benchmarks", "tools"}
    doors = {
        (f"eadnet.cli.{name}", "eadnet.training.recipes.set_command") for name in ("train", "split_videos")
    }
    found = [
        f"{name} imports {imported}"
        for name, taken in graph().items()
        if layer(name) in ("eadnet.cli", "eadnet.__main__")
        for imported in taken
        if any(within(imported, package) for package in forbidden) and (name, imported) not in doors
    ]
    assert not found
    assert all(behind in graph()[front] for front, behind in doors)


def test_the_library_runs_on_what_comfyui_has_and_diffusers() -> None:
    paths = [p for p in sources("eadnet") if p.relative_to(ROOT / "eadnet").parts[0] not in TRAINING]
    detectors = [ROOT / "eadnet" / name for name in NEED_OPTIONAL]
    assert not undeclared([p for p in paths if p not in detectors], RUNTIME | {"eadnet"})
    assert not undeclared(detectors, RUNTIME | OPTIONAL | {"eadnet"})


def test_optional_packages_are_imported_in_functions_only() -> None:
    for name in NEED_OPTIONAL:
        tree = ast.parse((ROOT / "eadnet" / name).read_text(encoding="utf-8"))
        top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {alias.name for n in top for alias in n.names}
        assert not names & OPTIONAL


def test_the_set_up_needs_the_standard_library_only() -> None:
    assert not undeclared([ROOT / "run.py", *sources("tools")], {"tools"})


LIGHT = """
import importlib, json, sys
import torch
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.slow
def test_what_the_nodes_import_of_the_library_is_light() -> None:
    """Beyond torch; without ComfyUI, which has imported some of the heavy packages by itself."""
    used = {name for path in sources("nodes") for name in imports(path) if name in graph()}
    modules = sorted(name for name in used if within(name, "eadnet"))
    command = [sys.executable, "-c", LIGHT, *modules]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(json.loads(answer.stdout))
    assert set(modules) <= loaded
    assert not loaded & HEAVY


IMPORT = """
import gc, json, time
import torch
import comfy_api.latest, comfy.samplers, comfy.sd, comfy.model_management, folder_paths, latent_preview
modules = lambda: sum(isinstance(thing, torch.nn.Module) for thing in gc.get_objects())
before, loaded, start = modules(), set(sys.modules), time.process_time()
load_pack()
seconds = time.process_time() - start
new = sorted(set(sys.modules) - loaded)
print("FACTS" + json.dumps({"seconds": seconds, "networks": modules() - before, "new": new}))
"""


@pytest.mark.slow
@pytest.mark.comfy
@pytest.mark.skipif(not has_comfy(), reason=MISSING)
def test_importing_the_pack_is_quick_and_loads_no_model(tmp_path: Path) -> None:
    facts = json.loads(run_in_comfy(IMPORT, tmp_path).rpartition("FACTS")[2])
    assert facts["networks"] == 0
    assert any(name.endswith(".nodes.render") for name in facts["new"])
    assert not HEAVY & set(facts["new"])
    assert facts["seconds"] < 1.0, "processor time beyond what ComfyUI has imported by itself"
