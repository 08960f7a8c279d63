"""What the node registry gets, file by file: all that a node or a command needs, and nothing that none needs.

The archive holds what git tracks less what `.comfyignore` names; `tests/comfy/test_package.py` holds that the
tool which makes it sees this the same way, and runs the result.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from tests.in_comfy import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Where a reader comes in: ComfyUI loads the first; nodes' messages and pages say what to run with the second
# (`eadnet convert`); the third is the README's way in from Python.
ENTRANCES = ("__init__.py", "eadnet/__main__.py", "eadnet/pipeline.py")
# Imported by what is in the archive though it is not: each says so in a sentence where it is asked for.
LEFT_OUT = {
    "eadnet/cli/prepare.py": "eadnet/preparation/",
    "eadnet/cli/split_videos.py": "eadnet/training/",
    "eadnet/cli/synth.py": "eadnet/synthetic/",
    "eadnet/cli/train.py": "eadnet/training/",
}
# Found by listing their folder, not by name.
LISTED = ("eadnet/faces/detectors/",)
PAPERS = {
    "LICENSE": "the licence asks for it",
    "README.md": "what people read first",
    "pyproject.toml": "what the registry and ComfyUI read",
    "requirements.txt": "what ComfyUI-Manager installs",
}


@cache
def tracked() -> frozenset[str]:
    return frozenset(_git("ls-files"))


@cache
def archived() -> frozenset[str]:
    """The files of the archive, as paths from its root."""
    return tracked() - set(_git("ls-files", "--cached", "--ignored", "--exclude-from=.comfyignore"))


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments, "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in done.stdout.split("\0") if (ROOT / name).is_file()]


def _imports(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it) of every import of our own in a file, those in functions too; modules as
    paths without suffix. A text such as ".modules.unet" is an import that is done by name.
    """
    here = tuple(name.split("/")[:-1])
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1] + tuple(filter(None, (node.module or "").split(".")))
            yield "/".join(base), tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("."):
            parts = node.value[1:].split(".")
            if all(part.isidentifier() for part in parts) and _file("/".join((*here, *parts)), tracked()):
                yield "/".join((*here, *parts)), ()


def _file(module: str, files: Iterable[str]) -> str | None:
    """The file of a module among files; None where it has none."""
    for path in (f"{module}.py", f"{module}/__init__.py" if module else "__init__.py"):
        if path in files:
            return path
    return None


def reached(entrances: Iterable[str], files: frozenset[str]) -> set[str]:
    """The Python files that these import, whenever they do, among ``files``."""
    seen: set[str] = set()
    waiting = list(entrances)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        folders = ["/".join(name.split("/")[:i]) for i in range(1, name.count("/") + 1)]
        found = [_file(folder, files) for folder in folders]  # the packages around it
        for module, names in _imports(name):
            found += [_file(module, files), *(_file(f"{module}/{part}".lstrip("/"), files) for part in names)]
        for folder in LISTED:
            if name.startswith(folder):
                found += [path for path in files if path.startswith(folder) and path.endswith(".py")]
        waiting += [path for path in found if path]
    return seen


@pytest.mark.slow
def test_every_import_of_a_node_or_a_command_is_in_the_archive() -> None:
    missing = {
        f"{name}: {module}"
        for name in reached(ENTRANCES, archived())
        for module, _ in _imports(name)
        if _file(module, archived()) is None and not module.startswith(LEFT_OUT.get(name, "\0").rstrip("/"))
    }
    assert missing == set()


def test_nothing_a_node_imports_was_left_out() -> None:
    assert reached(["__init__.py"], tracked()) <= archived()


@pytest.mark.slow
def test_every_python_file_of_the_archive_is_imported_by_something_in_it() -> None:
    python = {name for name in archived() if name.endswith(".py")}
    assert python - reached(ENTRANCES, archived()) == set()


def test_every_other_file_is_shown_by_comfyui_or_named_by_something_in_it() -> None:
    """Help pages, workflows and blueprints are found by ComfyUI; data are named in code or in a workflow."""
    shown = ("web/", "workflows/", "subgraphs/", "locales/")
    texts = [
        (ROOT / name).read_text(encoding="utf-8")
        for name in archived()
        if name.endswith((".py", ".json", ".md"))
    ]
    rest = [n for n in archived() if not n.endswith(".py") and not n.startswith(shown) and n not in PAPERS]
    stems = {name: name.rsplit("/", 1)[-1] for name in rest}
    stems = {name: base.rsplit(".", 1)[0] if "/prompts/" in name else base for name, base in stems.items()}
    assert [name for name, word in stems.items() if not any(word in text for text in texts)] == []


RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}


def test_every_system_can_unpack_it() -> None:
    """Windows takes no names of devices, few signs, no blank or point at the end, and no two names that
    differ in capitals alone; nor does it like long ones.
    """
    names = archived()
    assert len({name.lower() for name in names}) == len(names)
    assert len({unicodedata.normalize("NFC", name) for name in names}) == len(names)
    parts = {part for name in names for part in name.split("/")}
    assert [part for part in parts if part.split(".")[0].lower() in RESERVED] == []
    assert [part for part in parts if set(part) & set('<>:"|?*\\') or part != part.strip(" .")] == []
    assert max(map(len, names)) <= 100
    assert [name for name in names if (ROOT / name).is_symlink()] == []


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_the_papers_are_there(name: str) -> None:
    assert name in archived()


def test_a_wheel_has_every_file_that_is_no_python() -> None:
    """`pip install` takes what the patterns name, relative to the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["eadnet"]
    taken = {path for pattern in patterns for path in (ROOT / "eadnet").glob(pattern)}
    data = {ROOT / name for name in tracked() if name.startswith("eadnet/") and not name.endswith(".py")}
    assert data - taken == set()
