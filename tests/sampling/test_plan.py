"""Windows that move: every frame once a step, no border where one just was, and no window too short."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.errors import InputError
from eadnet.sampling.plan import Plan, moved
from eadnet.sampling.windows import windows


@given(st.integers(1, 200), st.integers(1, 48), st.integers(0, 20))
@example(17, 16, 0)
@example(17, 16, 4)
@example(1, 1, 0)
@example(33, 16, 2)
def test_every_frame_is_in_one_window_of_useful_length(frames: int, window: int, turn: int) -> None:
    parts = moved(frames, window, turn)
    assert [frame for start, stop in parts for frame in range(start, stop)] == list(range(frames))
    assert all(stop - start <= window for start, stop in parts)
    if frames > window:
        assert all(stop - start >= (window + 1) // 2 for start, stop in parts)


@pytest.mark.parametrize("window", [16, 24, 48])
def test_eight_steps_have_borders_of_their_own_away_from_the_ends(window: int) -> None:
    frames = 10 * window + 3
    borders = [
        {stop for _, stop in moved(frames, window, turn) if 2 * window < stop < frames - 2 * window}
        for turn in range(8)
    ]
    assert all(borders) and sum(map(len, borders)) == len(set().union(*borders))


@pytest.mark.parametrize("window", [16, 24, 48])
@pytest.mark.parametrize("hold", [1, 2])
def test_no_border_stays_when_windows_move(window: int, hold: int) -> None:
    """Not at the ends of a clip either, but in clips of two windows, where there may be one place."""
    for frames in [*range(window + 2, window + window // 2), *range(3 * window, 8 * window)]:
        plan = Plan(frames, 9 * hold, window, 0, "moving", hold)
        for step in range(0, 8 * hold, hold):
            now, then = ({stop for _, stop in plan.parts(s)} - {frames} for s in (step, step + hold))
            assert now and then and not now & then, (frames, step)


def test_windows_do_not_depend_on_what_comes_much_later() -> None:
    for turn in range(8):
        assert moved(300, 16, turn)[:5] == moved(1000, 16, turn)[:5]


def test_windows_stay_while_features_are_kept() -> None:
    plan = Plan(100, 7, 16, 4, "moving", hold=3)
    assert plan.parts(0) == plan.parts(1) == plan.parts(2) != plan.parts(3)
    assert plan.parts(3) == plan.parts(5) != plan.parts(6)


def test_overlapping_windows_are_the_same_at_every_step() -> None:
    plan = Plan(100, 3, 16, 4)
    assert plan.parts(0) == plan.parts(2) == windows(100, 16, 4)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InputError, match="no window mode 'still'"):
        Plan(10, 1, 16, 4, "still")


def test_moving_windows_cost_each_frame_once_a_step() -> None:
    plan = Plan(1000, 4, 16, 0, "moving")
    assert sum(b - a for step in range(4) for a, b in plan.parts(step)) == 4000
