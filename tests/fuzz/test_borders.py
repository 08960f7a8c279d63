"""Strange files and texts at every border: refused in a sentence, or used; nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.harness import BORDERS, COUNT, QUICK, run_border

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits and pipes of POSIX")


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    "count", [pytest.param(QUICK, id="quick"), pytest.param(COUNT, id="long", marks=pytest.mark.slow)]
)
def test_strange_input_is_used_or_refused_in_a_sentence(border: str, count: int, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    report = run_border(border, count, folder)
    assert report.faults == []
    assert len(report.outcomes) == count
    assert {outcome.kind for outcome in report.outcomes} == {"accepted", "refused"}
