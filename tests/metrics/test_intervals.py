from __future__ import annotations

import math

import numpy as np
import pytest

from eadnet.metrics.intervals import mean_interval, separation, share_interval


def test_the_interval_holds_the_truth_19_times_of_20():
    random = np.random.default_rng(0)
    held = [
        interval.low <= 3 <= interval.high
        for interval in (mean_interval(random.normal(3, 2, 6).tolist()) for _ in range(2000))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_one_value_tells_nothing_about_the_spread_and_none_nothing_at_all():
    assert mean_interval([2.0]).half_width == math.inf
    assert math.isnan(mean_interval([]).mean) and mean_interval([math.nan, 1.0, 3.0]).count == 2


def test_shares_stay_between_0_and_1():
    assert share_interval(0, 5).low == pytest.approx(0, abs=1e-12) and share_interval(5, 5).high <= 1 + 1e-12
    assert share_interval(8, 10).low == pytest.approx(0.490, abs=0.001)  # Wilson's own formula


def test_separation_is_the_share_of_pairs_in_order():
    assert separation([2, 3], [0, 1]) == 1 and separation([0], [1]) == 0
    assert separation([1, 1], [1, 1]) == 0.5 and math.isnan(separation([], [1]))
