"""The pack's entry where something is missing."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
