"""The counter of a training step's memory, held against steps that are really taken."""

from __future__ import annotations

import sys

import pytest

from experiments import training_cost


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' own numbers")
def test_what_is_counted_is_what_steps_take(capsys: pytest.CaptureFixture[str]) -> None:
    training_cost.main(["--run", "--channels", "32,32,32,32", "--side", "128", "--cases", "2", "3"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| all")]
    ratios = {row[1]: float(row[-1].strip(" |")) for row in rows}
    assert ratios.keys() == {"no", "yes"}
    assert 0.9 < ratios["no"] < 1.6
    assert ratios["yes"] > 0.9
