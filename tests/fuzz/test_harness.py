"""The harness finds every kind of fault, and goes on after each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz.faulty import FAULTS
from tests.fuzz.harness import run_border

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory where Linux shows it")


@pytest.mark.slow
def test_every_kind_of_fault_is_found_and_the_next_input_is_tried(tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    *faults, accepted, refused = run_border("faulty", len(FAULTS), folder).outcomes
    assert (accepted.kind, refused.kind) == ("accepted", "refused")
    found = {name: outcome for name, outcome in zip(FAULTS, faults, strict=False)}
    assert {name: o.said for name, o in found.items() if o.kind != "fault" or name not in o.said} == {}
