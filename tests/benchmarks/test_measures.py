"""What the benchmarks compute beside the clock: exponents, the order of reading, and which there are."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.faults import ACTS, Library, broken_off
from benchmarks.reading import COUNT, LEAD, PIECE, order
from benchmarks.soak import summary
from benchmarks.stda_cost import exponent


def test_the_exponent_is_the_slope_of_logarithms() -> None:
    tokens = [256, 512, 1024, 2048]
    assert exponent(tokens, [1e-6 * n**1.5 for n in tokens]) == pytest.approx(1.5)


def test_every_frame_is_read_to_be_generated_and_again_to_be_finished_after_the_lead() -> None:
    frames = order()
    assert set(frames) == set(range(COUNT))
    last = COUNT - PIECE
    assert frames.index(last) < len(frames) - PIECE, "generated before it is finished"
    assert sorted(frames) == sorted([*range(COUNT), *range(last - LEAD + PIECE)])


def test_benchmarks_are_of_speed_memory_and_faults_only() -> None:
    assert NAMES == [
        "beside_the_published",
        "denoiser_gpu",
        "faults",
        "fewer_evaluations",
        "kernels",
        "long_render",
        "native",
        "overlap",
        "reading",
        "side_by_side",
        "soak",
        "stda_cost",
    ]


def test_a_benchmark_takes_options_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: ran.append(sys.argv))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "soak", "--prompts", "3", "--write"])
    main()
    assert ran == [["soak", "--prompts", "3", "--write"]]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--prompts", "3"])
    with pytest.raises(SystemExit):
        main()


def test_help_is_that_of_the_one_benchmark_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "soak", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code and "--prompts PROMPTS" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "one or more of" in capsys.readouterr().out


def test_growth_is_seen_between_the_second_fifth_and_the_last() -> None:
    found = [(100.0 + (number >= 20) * 50 + (number >= 80) * 3, 8) for number in range(100)]
    assert "by +2.0 %" in summary(found)[-1]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the cases run in forks")
@pytest.mark.parametrize("fault", sorted(ACTS))
def test_a_fault_in_the_middle_ends_right_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, fault: str
) -> None:
    monkeypatch.setattr("benchmarks.faults.PHASES", ("decode", "mux", "finish"))
    library = Library(tmp_path)
    library.prepare()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as it is in a shell's background jobs
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    for tally in broken_off(library, fault, 1, random.Random(1)):
        assert tally.counts == {"cases": 1, "right": 1, "lost": 0, "left over": 0}, tally.row()
