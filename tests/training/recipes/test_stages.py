"""Stages run in their order, and say which file of an earlier one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadnet.errors import InputError
from eadnet.training.recipes.stages import run_stages


def test_the_named_stages_run_in_the_given_order() -> None:
    done: list[str] = []
    stages = {name: lambda name=name: done.append(name) for name in ("speech", "denoiser", "assemble")}
    run_stages(stages, ("speech", "assemble"))
    assert done == ["speech", "assemble"]


def test_a_stage_without_what_it_reads_names_the_file_and_the_order(tmp_path: Path) -> None:
    missing = tmp_path / "audio.npy"
    stages = {"speech": lambda: None, "denoiser": lambda: missing.open().close()}
    with pytest.raises(InputError, match=r"denoiser needs .*audio\.npy.*order is speech, denoiser"):
        run_stages(stages, ["denoiser"])
