"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.in_comfy import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Packages whose module is not called as they are. tomli: Python 3.10's tomllib, which mypy and pytest bring.
MODULES = {
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "pytest-xdist": "xdist",
    "websocket-client": "websocket",
}
STANDARD = {*sys.stdlib_module_names, "tomli"}
OWN = {"eadnet", "nodes", "tools", "tests", "benchmarks", "experiments", "run"}
# What runs inside ComfyUI may import it, and what it brings; nothing here installs it.
COMFY = {
    "aiohttp",
    "execution",
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "folder_paths",
    "latent_preview",
    "server",
}
# Programs: called, not imported.
CALLED = {"mypy", "ruff", "comfy-cli"}
TRAINING_FOLDERS = (
    "preparation",
    "synthetic",
    "training",
)  # of eadnet: for those who installed the extra "train"


def third_party(paths: list[Path]) -> dict[str, str]:
    """Module -> a file that imports it, anywhere in the file."""
    return {module: str(path.relative_to(ROOT)) for path in paths for module in _imports(path)}


@cache
def _imports(path: Path) -> set[str]:
    return set(_absolute(ast.parse(path.read_text(encoding="utf-8")))) - STANDARD - OWN - COMFY


def _absolute(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def in_training(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return parts[0] in ("experiments", "benchmarks") or parts[1] in TRAINING_FOLDERS


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LIBRARY = [ROOT / "__init__.py", *(p for p in sources("eadnet", "nodes") if not in_training(p))]
TRAINING = [p for p in sources("eadnet", "experiments", "benchmarks") if in_training(p)]
TESTS = [ROOT / "run.py", *sources("tools", "tests")]


def packages(names: list[str]) -> set[str]:
    """Modules that these requirements bring, those of our own extras among them."""
    modules = set()
    for requirement in names:
        name, extras = re.fullmatch(r"([\w-]+)(?:\[([\w,-]+)\])?.*", requirement).groups()  # type: ignore[union-attr]
        if name == PROJECT["name"]:
            modules |= {module for extra in extras.split(",") for module in packages(EXTRAS[extra])}
        elif name not in CALLED:
            modules.add(MODULES.get(name, name.replace("-", "_")))
    return modules


RUNTIME = packages(PROJECT["dependencies"])


@pytest.mark.parametrize(
    ("files", "extras"),
    [
        (LIBRARY, ("faces",)),  # detectors are asked for by name, and missed with a message
        (TRAINING, ("train", "mediapipe", "prepare", "ray")),
        (TESTS, ("dev", "mediapipe", "ray")),
    ],
    ids=["library", "training", "tests"],
)
def test_what_is_imported_is_declared(files: list[Path], extras: tuple[str, ...]) -> None:
    declared = RUNTIME.union(*(packages(EXTRAS[extra]) for extra in extras))
    undeclared = {module: path for module, path in third_party(files).items() if module not in declared}
    assert not undeclared


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (PROJECT["dependencies"], LIBRARY),
        *((EXTRAS[extra], LIBRARY + TRAINING) for extra in sorted(EXTRAS) if extra != "dev"),
        (EXTRAS["dev"], LIBRARY + TRAINING + TESTS),
    ],
    ids=["dependencies", *(extra for extra in sorted(EXTRAS) if extra != "dev"), "dev"],
)
def test_what_is_declared_is_imported(names: list[str], files: list[Path]) -> None:
    unused = packages(names) - set(third_party(files))
    assert not unused


def test_comfyui_managers_list_holds_what_comfyui_does_not_bring() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    core = (ROOT / "requirements" / "comfy.txt").read_text(encoding="utf-8").splitlines()
    brought = {re.split(r"[=<>~ #]", line)[0] for line in core if line and not line.startswith("#")} | {
        "torch"
    }
    assert listed == set(PROJECT["dependencies"]) - brought


REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "line", [*PROJECT["dependencies"], *(r for r in REQUIREMENTS if r and not r.startswith("#"))]
)
def test_nothing_is_pinned(line: str) -> None:
    """A pack shares one Python with all others: a version asked for here is taken from somebody else."""
    assert re.fullmatch(r"[a-z][a-z0-9-]*", line), f"{line} asks for more than a name"


def test_the_registry_is_told_a_version_and_which_comfyui_it_needs() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", pyproject["project"]["version"])
    assert re.fullmatch(r">=\d+\.\d+\.\d+", pyproject["tool"]["comfy"]["requires-comfyui"])
