"""The way of an option of `eadnet generate` to the file that uses it, followed at run time.

docs/architecture.md describes the walk and what it costs; here it cannot grow unnoticed.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from eadnet.cli import main
from eadnet.errors import InputError
from tests.in_comfy import ROOT

PACKAGE = str(ROOT / "eadnet") + "/"

# Values that nothing else has on the way to the network's first evaluation.
OPTIONS: dict[str, Any] = {
    "seed": 12347,
    "steps": 43,
    "audio-guidance": 1.7531,
    "emotion-guidance": 2.1397,
    "scheduler": "dpmpp_2m",
    "window": 23,
    "smoothing": 0.6137,
    "length": "loop",
    "fps": 23.5,
    "emotion": "quietly amused, brows up",
}

# Files that another file hands the bare option; inside settings, samplings and scenes it travels unseen.
WALK = {
    "seed": {"sampling/noise.py", "sampling/wavefront.py"},
    "steps": {"sampling/plan.py", "sampling/schedulers.py", "sampling/savings.py"},
    "audio-guidance": {"sampling/guidance.py"},
    "emotion-guidance": {"sampling/guidance.py"},
    "scheduler": {"sampling/schedulers.py"},
    # Memory is reserved for a window's frames, and a window shrinks where memory runs out.
    "window": {
        *("sampling/plan.py", "sampling/windows.py", "sampling/sampler.py"),
        *("rendering/to_file.py", "rendering/film.py", "rendering/unfinished.py"),
        *("rendering/memory.py", "memory.py"),
    },
    "smoothing": {"rendering/to_file.py", "rendering/scene.py", "rendering/frames.py", "modules/tfrm.py"},
    "length": {"media/lengths.py"},
    "fps": {"media/reader.py"},
    "emotion": {"rendering/inputs.py", "rendering/model.py"},
}


def follow(arguments: list[str]) -> dict[str, set[str]]:
    """Run the command until its network is evaluated: option -> files it was handed to by another file."""
    handed: dict[str, set[str]] = defaultdict(set)
    evaluated = "the network is evaluated"

    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        if code.co_name == "forward" and code.co_filename.endswith("modules/unet.py"):
            raise InputError(evaluated)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back  # a library between
        if caller is None or caller.f_code.co_filename == code.co_filename:
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        values = [frame.f_locals.get(name) for name in names]
        for option, value in OPTIONS.items():
            if any(type(one) is type(value) and one == value for one in values):
                handed[option].add(code.co_filename.removeprefix(PACKAGE))

    sys.setprofile(look)
    try:
        assert main(arguments) != 0
    finally:
        sys.setprofile(None)
    return handed


@pytest.mark.slow
def test_an_option_reaches_the_file_that_uses_it_through_few_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assets = ROOT / "eadnet" / "assets"
    arguments = ["generate", "--method", "pixels", "--checkpoint", "mini", "--out", str(tmp_path / "out.mp4")]
    arguments += ["--portrait", str(assets / "portrait.png"), "--audio", str(assets / "speech.wav")]
    for option, value in OPTIONS.items():
        arguments += [f"--{option}", str(value)]
    handed = follow(arguments)
    assert "the network is evaluated" in capsys.readouterr().err
    for option in OPTIONS:
        # Less is welcome, and no option may be lost.
        assert handed[option], option
        assert handed[option] - {"fingerprints.py"} <= WALK[option], option
