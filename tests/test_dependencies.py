"""What is imported is declared, what is declared is imported, and what is missing is said in a sentence."""

from __future__ import annotations

import ast
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORTED_AS = {"opencv-python-headless": "cv2", "pillow": "PIL", "espeakng-loader": "espeakng_loader"}
COMFYUI = {"comfy", "comfy_api", "folder_paths", "latent_preview"}


def requirement_lists() -> dict[str, set[str]]:
    """Of pyproject.toml, by name of the list: the modules that its packages are imported as."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = {}
    for name, body in re.findall(r"^([a-z]+) = \[(.*?)\]$", text, flags=re.MULTILINE | re.DOTALL):
        packages = [re.split(r"[^\w.-]", package)[0] for package in re.findall(r'"([^"]+)"', body)]
        found[name] = {IMPORTED_AS.get(package, package) for package in packages} - {"ead-net"}
    return found


def imported(*folders: str) -> set[str]:
    """The modules from outside that the sources in some folders import, early or late."""
    names: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return {name for name in names if name not in sys.stdlib_module_names} - COMFYUI - {"eadnet"}


DECLARED = requirement_lists()
EXTRAS = DECLARED["faces"] | DECLARED["mediapipe"] | DECLARED["synthetic"] | DECLARED["train"]


def test_what_library_and_nodes_import_is_declared() -> None:
    assert imported("eadnet", "nodes") <= DECLARED["dependencies"] | EXTRAS


def test_what_is_declared_is_imported() -> None:
    assert DECLARED["dependencies"] | EXTRAS <= imported("eadnet", "nodes", "experiments")


def test_what_tests_and_tools_import_is_declared() -> None:
    ours = {"tests", "tools", "benchmarks", "experiments"}
    assert imported("tests", "tools") - ours <= DECLARED["dependencies"] | EXTRAS | DECLARED["dev"] | {
        "websocket"
    }


def test_a_pack_without_its_requirements_says_what_to_run(tmp_path: Path) -> None:
    entry = tmp_path / "__init__.py"
    entry.write_text((ROOT / "__init__.py").read_text(encoding="utf-8"), encoding="utf-8")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# what core lacks\nnumpy\nno_such_package>=1  # since then\n", encoding="utf-8")
    spec = spec_from_file_location("pack_without_requirements", entry)
    assert spec and spec.loader
    with pytest.raises(ImportError) as missing:
        spec.loader.exec_module(module_from_spec(spec))
    assert str(missing.value) == (
        "EAD-Net needs no_such_package, which ComfyUI's Python lacks. Run: "
        f'"{sys.executable}" -m pip install -r "{requirements}"'
    )
