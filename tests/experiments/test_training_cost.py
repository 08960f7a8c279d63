"""The counter of a training step's memory, held against steps that are really taken."""

from __future__ import annotations

import sys

import pytest

from experiments import training_cost


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' own numbers")
def test_steps_take_what_is_counted_less_the_maps_of_attention(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--run", "--channels", "32,32,32,32", "--side", "128", "--cases", "0"]
    training_cost.main(words)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| EAD's parts"))
    assert 0.6 < float(row.strip(" |").split(" | ")[-1]) < 1.2
