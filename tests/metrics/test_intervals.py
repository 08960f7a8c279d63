from __future__ import annotations

import math

import numpy as np
import pytest
import scipy  # which imports its parts when they are used
from hypothesis import example, given
from hypothesis import strategies as st

from eadnet.metrics.intervals import mean_interval, separation, share_interval


@pytest.mark.slow
def test_the_interval_holds_the_truth_19_times_of_20():
    random = np.random.default_rng(0)
    held = [
        interval.low <= 3 <= interval.high
        for interval in (mean_interval(random.normal(3, 2, 6).tolist()) for _ in range(2000))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=30))
def test_the_interval_of_a_mean_is_scipys(values):
    array = np.asarray(values, np.float64)
    reach = scipy.stats.sem(array) * scipy.stats.t.ppf(0.975, len(array) - 1)
    found = mean_interval(values)
    assert (found.mean, found.count) == (pytest.approx(array.mean()), len(values))
    assert found.half_width == pytest.approx(reach, rel=1e-6, abs=1e-9)


@given(count=st.integers(1, 500), share=st.floats(0, 1))
@example(10, 0.8)
@example(5, 0.0)
@example(5, 1.0)
def test_the_interval_of_a_share_is_scipys_wilson_interval(count, share):
    hits = round(share * count)
    expected = scipy.stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    found = share_interval(hits, count)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=20)


@given(SCORES, SCORES)
@example([2, 3], [0, 1])
@example([0], [1])
@example([1, 1], [1, 1])
def test_separation_is_mann_whitneys_u_as_a_share_of_all_pairs(higher, lower):
    u = scipy.stats.mannwhitneyu(higher, lower, method="asymptotic").statistic
    assert separation(higher, lower) == pytest.approx(u / (len(higher) * len(lower)))


def test_one_value_tells_nothing_about_the_spread_and_none_nothing_at_all():
    assert mean_interval([2.0]).half_width == math.inf
    assert math.isnan(mean_interval([]).mean) and mean_interval([math.nan, 1.0, 3.0]).count == 2


def test_of_no_clips_nothing_is_known():
    assert math.isnan(share_interval(0, 0).mean) and share_interval(0, 0).count == 0
    assert math.isnan(separation([], [1])) and math.isnan(separation([1], []))
