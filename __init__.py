"""EAD-Net for ComfyUI: emotion-aware talking heads. What ComfyUI loads; everything else is below."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WEB_DIRECTORY = "./web"


def missing_packages() -> list[str]:
    """The packages of requirements.txt that this Python lacks; each is imported by its own name."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    names = (re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0] for line in lines)
    return [name for name in names if name and find_spec(name) is None]


if missing := missing_packages():
    raise ImportError(
        f"EAD-Net needs {', '.join(missing)}, which ComfyUI's Python lacks. Run: "
        f'"{sys.executable}" -m pip install -r "{REQUIREMENTS}"'
    )

from .nodes import EADNetExtension  # noqa: E402


async def comfy_entrypoint() -> EADNetExtension:
    return EADNetExtension()
