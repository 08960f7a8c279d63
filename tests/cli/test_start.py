"""What a render imports: nothing that it does not use, for each of these takes seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.in_comfy import ROOT

# torch's compiler comes with the first sum of tensors that have no memory, and with diffusers.
NOT_USED = {
    *("diffusers", "librosa", "numba", "sympy", "torch._dynamo", "torchvision", "transformers"),
    *("scipy.ndimage", "scipy.signal", "scipy.stats"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "method"), [("motion", "rig"), ("mini", "pixels")])
def test_the_bundled_example_renders_without_the_large_libraries(
    model: str, method: str, tmp_path: Path
) -> None:
    """A recording at 16 kHz needs no resampling; DDIM is our own; networks are built without sums."""
    assets, out = ROOT / "eadnet" / "assets", tmp_path / "out.mp4"
    source = ["--portrait", str(assets / "portrait.png"), "--audio", str(assets / "speech.wav")]
    how = ["--checkpoint", model, "--method", method, "--steps", "1"]
    code = (
        "import sys\n"
        "from eadnet.cli import main\n"
        f"ended = main({['generate', *source, *how, '--out', str(out)]!r})\n"
        f"print('imported:', *sorted({NOT_USED!r} & set(sys.modules)))\n"
        "sys.exit(ended)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert out.stat().st_size > 10_000
    assert ended.stdout.splitlines()[-1] == "imported:", ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fetch", "--help"], ["sing"]])
def test_what_needs_no_network_of_ours_does_not_wait_for_torch(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from eadnet.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('imported:', *sorted({'torch', 'numpy', 'av'} & set(sys.modules)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines()[-1] == "imported:", ended.stdout + ended.stderr
