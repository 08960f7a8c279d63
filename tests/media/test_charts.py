from __future__ import annotations

import math

import numpy as np
import pytest

from eadnet.media.charts import THEMES, Panel, Picture, finite_range, nice_ticks, tick_text


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (-15, 15, [-15, -10, -5, 0, 5, 10, 15]),
        (0.02, 0.1, [0.02, 0.04, 0.06, 0.08, 0.1]),
    ],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_ticks_of_nothing_are_few():
    assert nice_ticks(1, 1) == [1] and nice_ticks(math.nan, 1) == []
    assert tick_text(0.05, [0.0, 0.05]) == "0.05" and tick_text(-0.0, [0, 5]) == "0"


def test_ranges_ignore_what_is_not_finite():
    low, high = finite_range([math.nan, 1.0, 2.0, math.inf])
    assert 0.9 < low < 1 and 2 < high < 2.1
    assert finite_range([]) == (0.0, 1.0) and finite_range([3.0])[0] < 3 < finite_range([3.0])[1]


def test_a_curve_appears_in_its_colour_and_gaps_stay_empty():
    theme = THEMES["dark"]
    sheet = Picture(300, 200, theme)
    panel = Panel(sheet, (0, 0, 300, 200), "a", (0, 10), (0, 1), "x")
    panel.curve(list(range(11)), [0.5] * 4 + [math.nan] * 3 + [0.5] * 4, theme.line)
    pixels = sheet.pixels()
    near = np.abs(pixels - np.array(theme.line) / 255).max(-1) < 0.15
    row = round(panel.y(0.5))
    drawn = near[row - 1 : row + 2].any(0)
    assert drawn[round(panel.x(1))] and drawn[round(panel.x(9))] and not drawn[round(panel.x(5))]
