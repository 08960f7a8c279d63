"""Strange files and texts at every border: refused in a sentence, or used; nothing else."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.harness import BORDERS, COUNT, QUICK, run_border
from tests.fuzz.judge import judged, watched_log


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits and pipes of POSIX")
@pytest.mark.parametrize("border", BORDERS)
def test_strange_input_is_used_or_refused_in_a_sentence(border: str, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    report = run_border(border, COUNT, folder)
    assert report.faults == []
    assert len(report.outcomes) == COUNT
    assert {outcome.kind for outcome in report.outcomes} == {"accepted", "refused"}


@pytest.mark.parametrize("border", BORDERS)
def test_the_first_strange_inputs_are_used_or_refused_in_a_sentence(border: str, tmp_path: Path) -> None:
    """A process of its own takes seconds to start: time, memory and files are the long run's to watch."""
    kinds = set()
    with watched_log() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        subject = importlib.import_module(f"tests.fuzz.{border}").Subject(tmp_path)
        for number in range(QUICK):
            given = subject.make(Random(f"{border} {number}"))
            kind, said = judged(subject, given)
            assert kind != "fault" and log.problem() is None, (number, said, log.problem())
            kinds.add(kind)
    assert kinds == {"accepted", "refused"}
