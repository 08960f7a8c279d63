"""Blinks, glances and sways: as often and as far as is usual, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eadnet.driving.idle import Idle, idle_motion
from eadnet.errors import InputError


def blinks(curve: np.ndarray) -> int:
    return int(((curve[1:] > 0.5) & (curve[:-1] <= 0.5)).sum())


@pytest.mark.parametrize("per_minute", [6.0, 18.0, 40.0])
def test_blinks_come_as_often_as_asked_and_close_the_eyes(per_minute: float) -> None:
    counts = [
        blinks(idle_motion(25 * 600, 25, seed, Idle(blinks=per_minute))["blink_l"]) for seed in range(6)
    ]
    assert np.mean(counts) / 10 == pytest.approx(per_minute, rel=0.2)
    curve = idle_motion(25 * 60, 25, 0, Idle(blinks=per_minute))["blink_l"]
    assert curve.max() > 0.95 and np.median(curve) == 0


def test_time_between_blinks_varies() -> None:
    curve = idle_motion(25 * 600, 25, 3)["blink_l"]
    starts = np.flatnonzero((curve[1:] > 0.5) & (curve[:-1] <= 0.5)) / 25
    gaps = np.diff(starts)
    assert gaps.std() / gaps.mean() > 0.3


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(0, 300), fps=st.floats(1, 120))
@settings(max_examples=30, deadline=None)
def test_every_curve_is_as_long_as_the_clip_finite_and_repeatable(seed: int, frames: int, fps: float) -> None:
    curves = idle_motion(frames, fps, seed)
    again = idle_motion(frames, fps, seed)
    for name, curve in curves.items():
        assert curve.shape == (frames,) and np.isfinite(curve).all()
        assert np.array_equal(curve, again[name])


def test_another_seed_is_another_take() -> None:
    assert not np.array_equal(idle_motion(250, 25, 1)["head_yaw"], idle_motion(250, 25, 2)["head_yaw"])


def test_nothing_moves_where_nothing_is_wanted() -> None:
    curves = idle_motion(500, 25, 1, Idle(blinks=0, gaze=0, head=0))
    assert all((curve == 0).all() for curve in curves.values())


def test_the_head_nods_where_speech_gets_louder() -> None:
    level = np.zeros(250)
    level[100:110] = 1
    still = Idle(blinks=0, gaze=0, head=1)
    nod = idle_motion(250, 25, 1, still, level)["head_pitch"] - idle_motion(250, 25, 1, still)["head_pitch"]
    assert 100 <= nod.argmax() < 110 and nod.max() > 0.1
    assert abs(nod[:40]).max() < 0.1 * nod.max()


def test_motion_is_continuous() -> None:
    head = idle_motion(2500, 25, 5)
    assert np.abs(np.diff(head["head_yaw"])).max() < 0.25, "no jump of the head between two frames"


def test_people_differ_in_how_far_they_move_and_not_in_their_pace() -> None:
    heads = [idle_motion(1500, 25, seed)["head_yaw"] for seed in range(24)]
    spreads = np.array([head.std() for head in heads])
    pace = np.array([25 * np.abs(np.diff(head)).mean() / head.std() for head in heads])
    assert np.percentile(spreads, 90) > 2.5 * np.percentile(spreads, 10)
    assert pace.std() < 0.2 * pace.mean()


def test_brows_rise_rather_where_speech_is_loud_and_hardly_for_some() -> None:
    level = np.tile(np.repeat([0.0, 1.0], 250), 6)
    raised = np.stack([idle_motion(3000, 25, seed, level=level)["outer_brow_up_l"] for seed in range(30)])
    loud, quiet = raised[:, level > 0.5].mean(), raised[:, level < 0.5].mean()
    assert loud > 2 * quiet > 0
    assert np.median(raised.max(1)) > 0.05 and (raised.max(1) == 0).any()


@pytest.mark.parametrize(
    ("name", "value"), [("blinks", -1), ("blinks", 500), ("gaze", 9), ("head", float("nan"))]
)
def test_amounts_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match="use 0"):
        Idle(**{name: value})


def test_negative_seeds_are_seeds_too() -> None:
    one, other = (idle_motion(50, 25.0, seed) for seed in (-1, -2))
    assert not np.array_equal(one["head_yaw"], other["head_yaw"])
