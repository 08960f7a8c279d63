"""Runs a few lines of Python beside ComfyUI's modules, in a process of its own, without its server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TREE = Path(os.environ.get("EADNET_COMFYUI", ROOT / ".comfyui" / "ComfyUI"))
MISSING = f"no ComfyUI in {TREE}: run `python run.py test`, or set EADNET_COMFYUI to a ComfyUI folder"

PRELUDE = """
import importlib.util, sys
tree, base, root = sys.argv[1:]
sys.path.insert(0, tree)
from comfy.cli_args import args
args.cpu, args.base_directory = True, base

def load_pack():
    "Imports the pack as ComfyUI does, under a name of ComfyUI's making."
    entry = root + "/__init__.py"
    spec = importlib.util.spec_from_file_location("the_pack", entry, submodule_search_locations=[root])
    sys.modules["the_pack"] = pack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack)
    return pack
"""


def has_comfy() -> bool:
    return (TREE / "main.py").is_file()


def run_in_comfy(code: str, base: Path) -> str:
    """What `code` prints. It finds ComfyUI's modules, an empty base directory, and `load_pack()`."""
    command = [sys.executable, "-c", PRELUDE + code, str(TREE), str(base), str(ROOT)]
    answer = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=base, check=False)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return answer.stdout
