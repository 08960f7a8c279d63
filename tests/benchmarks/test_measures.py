"""What the benchmarks compute beside the clock: exponents, the order of reading, and which there are."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.reading import COUNT, LEAD, PIECE, order
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


def test_benchmarks_are_of_speed_and_memory_only() -> None:
    assert NAMES == ["denoiser_gpu", "long_render", "overlap", "reading", "stda_cost"]
